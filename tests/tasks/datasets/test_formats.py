"""Files as they are met in public: packed, misnamed, in other encodings, or no data at all."""

import bz2
import gzip
import json
import lzma
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tasks.datasets.given import put, read, refusal

ROWS = [{"q": "x, y", "a": "1"}, {"q": 'é "z"', "a": "2"}]
CSV = 'q,a\n"x, y",1\n"é ""z""",2\n'
TSV = 'q\ta\nx, y\t1\n"é ""z"""\t2\n'
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
ARRAY = json.dumps(ROWS)
PRETTY = json.dumps(ROWS, indent=2)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
STREAM = "\n".join(json.dumps(row, indent=2) for row in ROWS)


def zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)


@pytest.mark.parametrize("name", ["d.json", "d.jsonl", "d.ndjson", "d.JSONL", "d.txt", "d"])
@pytest.mark.parametrize(
    "content", [LINES, ARRAY, PRETTY, STREAM, "\ufeff" + PRETTY, "\n" + LINES.replace("\n", "\r\n")]
)
def test_json_is_read_by_what_it_holds_whatever_its_name(tmp_path: Path, name: str, content: str) -> None:
    put(tmp_path, name, content)
    assert read(tmp_path, name) == ROWS


@pytest.mark.parametrize(
    ("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zst", zstd)]
)
@pytest.mark.parametrize(
    ("name", "content"), [("d.csv", CSV), ("d.tsv", TSV), ("d.json", PRETTY), ("d.jsonl", LINES), ("d.tab", TSV)]
)
def test_compressed_files_are_read(
    tmp_path: Path, name: str, content: str, ending: str, pack: Callable[[bytes], bytes]
) -> None:
    put(tmp_path, f"{name}.{ending}", pack(content.encode()))
    assert read(tmp_path, f"{name}.{ending}") == ROWS
    assert read(tmp_path) == ROWS


def test_what_is_compressed_is_found_out_by_content_and_may_be_in_several_parts(tmp_path: Path) -> None:
    half = len(LINES.encode()) // 2
    packs: dict[str, Callable[[bytes], bytes]] = {"a.jsonl": gzip.compress, "b.jsonl": zstd, "c.jsonl": bz2.compress}
    packs["d.jsonl"] = lambda content: lzma.compress(content) + b"\0" * 8
    for name, pack in packs.items():
        put(tmp_path, name, pack(LINES.encode()[:half]) + pack(LINES.encode()[half:]))
        assert read(tmp_path, name) == ROWS


def quick_lzma(content: bytes) -> bytes:
    return lzma.compress(content, preset=0)


@pytest.mark.thorough
@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, quick_lzma, zstd])
def test_a_compressed_file_that_was_cut_short_is_named(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    rows = "".join(f'{{"n": {number**3}}}\n' for number in range(200_000))
    packed = pack(rows.encode())
    put(tmp_path, "d.jsonl.gz", packed[: len(packed) // 2])
    assert refusal(tmp_path, "d.jsonl.gz").startswith("d.jsonl.gz is damaged, or was cut short: ")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.csv", TSV),
        ("d.tsv", CSV),
        ("d.csv", 'q;a\n"x, y";1\n"é ""z""";2\n'),
        ("d.csv", "\n" + CSV),
        ("d.csv", CSV.replace("\n", "\r\n")),
        ("d.csv", CSV.replace("\n", "\r")),
        ("d.csv", 'q,a,\n"x, y",1,\n"é ""z""",2,\n'),
        ("d.csv", 'q,a,\n"x, y",1\n"é ""z""",2\n'),
        ("d.csv", 'q,a\n"x, y",1,,\n"é ""z""",2,\n'),
        ("d.csv", 'sep=;\r\nq;a\r\nx, y;1\r\n"é ""z""";2\r\n'),
        ("d.csv", 'sep=,\nq,a\n"x, y",1\n"é ""z""",2\n'),
        ("d.csv", 'q|a\n"x, y"|1\n"é ""z"""|2\n'),
        ("d.csv", 'sep=|\nq|a\n"x, y"|1\n"é ""z"""|2\n'),
        ("d.csv", ARRAY),
        ("d.tsv", PRETTY),
    ],
)
def test_tables_are_read_whatever_separates_their_cells_and_lines(tmp_path: Path, name: str, content: str) -> None:
    put(tmp_path, name, content)
    assert read(tmp_path, name) == ROWS


def test_a_column_without_a_name_is_called_as_pandas_calls_it(tmp_path: Path) -> None:
    put(tmp_path, "d.csv", ",q,\n0,a,\n1,b,x\n")
    notes: list[str] = []
    assert read(tmp_path, "d.csv", notes=notes) == [
        {"Unnamed: 0": "0", "q": "a"},
        {"Unnamed: 0": "1", "q": "b", "Unnamed: 2": "x"},
    ]
    assert notes == [
        "d.csv: columns without a name are called 'Unnamed: 0', 'Unnamed: 2', and left out where they are empty"
    ]


@pytest.mark.parametrize(
    ("header", "names"),
    [(",Unnamed: 0,q", ["Unnamed: 0.1", "Unnamed: 0", "q"]), (" ,a,q", ["Unnamed: 0", "a", "q"])],
)
def test_a_name_that_is_given_to_a_column_is_one_that_no_other_has(
    tmp_path: Path, header: str, names: list[str]
) -> None:
    put(tmp_path, "d.csv", f"{header}\n1,2,3\n")
    assert read(tmp_path, "d.csv") == [dict(zip(names, "123", strict=True))]


def test_a_sequence_of_json_texts_is_read(tmp_path: Path) -> None:
    for name, indent in (("d.json", 2), ("d.jsonl", None), ("d.json-seq", None)):
        put(tmp_path, name, "".join(f"\x1e{json.dumps(row, indent=indent)}\n" for row in ROWS))
        assert read(tmp_path, name) == ROWS


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1e"])
def test_other_separators_than_line_breaks_are_text(tmp_path: Path, separator: str) -> None:
    row = {"q": f"a{separator}b"}
    put(tmp_path, "d.csv", f"q\na{separator}b\n")
    put(tmp_path, "d.json", json.dumps([row], ensure_ascii=False))
    put(tmp_path, "d.jsonl", json.dumps(row, ensure_ascii=False) + "\n" + json.dumps(row) + "\n")
    assert read(tmp_path, "d.csv") == [row]
    assert read(tmp_path, "d.json") == [row]
    assert read(tmp_path, "d.jsonl") == [row, row]


NUMBERS = '{"s": 1.5}\n{"s": NaN, "t": [{"u": -Infinity}]}\n{"s": Infinity}\n{"s": 1e999}\n'


@pytest.mark.parametrize("name", ["d.jsonl", "d.json"])
def test_numbers_that_json_cannot_say_are_null_with_a_note(tmp_path: Path, name: str) -> None:
    content = NUMBERS if name == "d.jsonl" else f"[{NUMBERS.strip().replace(chr(10), ',')}]"
    put(tmp_path, name, content)
    notes: list[str] = []
    assert read(tmp_path, name, notes=notes) == [{"s": 1.5}, {"s": None, "t": [{"u": None}]}, {"s": None}, {"s": None}]
    first = "line 2" if name == "d.jsonl" else "element 2"
    assert notes == [
        f"{name}: column 's': 3 values are NaN or infinite, the first in {first}: null stands for that",
        f"{name}: column 't': 1 value is NaN or infinite, the first in {first}: null stands for that",
    ]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n",
            "is a pointer of Git LFS .*git lfs pull",
        ),
        (b"<!DOCTYPE html>\n<html>", "is a web page and not the data: fetch the file itself"),
        (b"\n <HTML><body>Log in", "is a web page"),
        (b"<?xml version='1.0'?><rows/>", "is XML"),
        (b"PK\x03\x04rest", "is a ZIP archive or a workbook of Excel: unpack it"),
        (b"%PDF-1.7", "is a PDF"),
        (b"ARROW1\x00\x00", "is an Arrow file"),
        (b"\x04\x22\x4d\x18\x00", "is compressed by LZ4: decompress it, or use gzip"),
        (b"x" * 257 + b"ustar\x0000", "is a tar archive: unpack it"),
        (gzip.compress(gzip.compress(LINES.encode(), mtime=0), mtime=0), "is compressed twice"),
        (gzip.compress(b"version https://git-lfs.github.com/spec/v1\n", mtime=0), "is a pointer of Git LFS"),
        (b'{"error": "The dataset is gated: log in"}', "the error of a server, 'The dataset is gated: log in': fetch"),
        (b'{"detail": "Not found"}', "the error of a server, 'Not found'"),
        (b'{"message": "Not Found", "documentation_url": "x", "status": "404"}', "the error of a server, 'Not Found'"),
        (b'{"status": 429, "errors": [{"code": 1}], "message": "slow down"}\n', "the error of a server"),
        ("q,a\n日本,東京\n".encode("iso2022_jp"), "is in ISO-2022-JP: save it in UTF-8, as `iconv -f ISO-2022-JP"),
        (LINES.encode("utf-16"), "is in UTF-16: save it in UTF-8, as `iconv -f UTF-16 -t UTF-8` does"),
        (LINES.encode("utf-16-le"), "is in UTF-16LE: save it in UTF-8"),
        (LINES.encode("utf-16-be"), "is in UTF-16BE: save it in UTF-8"),
        (LINES.encode("utf-32"), "is in UTF-32: save it in UTF-8"),
    ],
)
@pytest.mark.parametrize("name", ["d.csv", "d.json", "d.jsonl", "d.parquet", "d.tsv"])
def test_what_is_no_data_is_refused_by_name_with_what_to_do(
    tmp_path: Path, name: str, content: bytes, what: str
) -> None:
    put(tmp_path, name, content)
    message = refusal(tmp_path, name)
    assert message.startswith(f"{name} is ")

    assert re.search(what, message)


@pytest.mark.parametrize("name", ["d.csv", "d.json", "d.jsonl", "d.tsv"])
def test_text_of_windows_is_refused_with_the_line_and_what_to_do(tmp_path: Path, name: str) -> None:
    content = {"d.csv": CSV, "d.tsv": TSV, "d.json": PRETTY.replace("\\u00e9", "é"), "d.jsonl": LINES}[name]
    put(tmp_path, name, content.replace("\\u00e9", "é").encode("cp1252"))
    message = refusal(tmp_path, name)
    assert "it seems to be in WINDOWS-1252: save the file in UTF-8, as `iconv -f WINDOWS-1252 -t UTF-8` does" in message
    assert re.match(rf"line \d of {name} is not UTF-8: byte \d+ of it is 0xE9;", message)


@pytest.mark.parametrize(
    ("text", "encoding", "named"),
    [
        ("日本の首都はどこですか？", "cp932", "CP932"),
        ("日本の首都はどこですか？", "euc_jp", "EUC-JP"),
        ("法国的首都是哪里？水的沸点是多少？", "gb18030", "GB18030"),
        ("法國的首都是哪裡？水的沸點是多少？", "big5", "BIG5"),
        ("프랑스의 수도는 어디입니까?", "euc_kr", "EUC-KR"),
        ("Какая столица Франции? Где Москва?", "cp1251", "WINDOWS-1251"),
        ("Quelle est la capitale où l'été est à côté ?", "cp1252", "WINDOWS-1252"),
    ],
)
@pytest.mark.parametrize("name", ["d.csv", "d.json", "d.jsonl"])
def test_text_of_another_encoding_is_refused_with_the_command_for_it(
    tmp_path: Path, name: str, text: str, encoding: str, named: str
) -> None:
    row = json.dumps({"q": text}, ensure_ascii=False)
    content = {"d.csv": f"id,question\n1,{text}\n2,{text}\n", "d.json": f"[{row},\n{row}]", "d.jsonl": f"{row}\n" * 2}
    put(tmp_path, name, content[name].encode(encoding))
    assert f"as `iconv -f {named} -t UTF-8` does" in refusal(tmp_path, name)


@pytest.mark.parametrize("row", [{"error": "", "q": "x"}, {"error": "segfault", "fix": "y"}, {"message": "hello"}])
def test_a_row_about_an_error_is_a_row(tmp_path: Path, row: dict[str, str]) -> None:
    put(tmp_path, "d.jsonl", json.dumps(row))
    assert read(tmp_path, "d.jsonl") == [row]


def test_a_compressed_parquet_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"x": [1]}), sink)
    put(tmp_path, "d.parquet.gz", gzip.compress(sink.getvalue().to_pybytes()))
    assert "is a compressed Parquet file: decompress it" in refusal(tmp_path, "d.parquet.gz")
    put(tmp_path, "d.jsonl", sink.getvalue().to_pybytes())
    assert read(tmp_path, "d.jsonl") == [{"x": 1}]


@given(
    st.lists(
        st.dictionaries(TEXTS, TEXTS | st.integers(-(2**63), 2**64 - 1) | st.none(), max_size=3),
        min_size=2,
        max_size=5,
    ),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_an_array_is_read_as_its_rows_however_it_is_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]], indent: str | int | None, escaped: bool
) -> None:
    root = tmp_path_factory.mktemp("root")
    put(root, "d.json", json.dumps(rows, indent=indent, ensure_ascii=escaped))
    assert read(root, "d.json") == rows


def test_an_array_longer_than_what_is_read_at_a_time_is_read_element_by_element(tmp_path: Path) -> None:
    rows = [{"n": number, "text": 'é\\"[{' * (number * 700)} for number in range(60)]
    put(tmp_path, "d.json", json.dumps(rows, ensure_ascii=False))
    assert read(tmp_path, "d.json") == rows
