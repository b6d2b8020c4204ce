import datetime
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DatasetUnreadable, NotFound
from core.spec import FilesDataset, RowsDataset
from store.files.values import Findings, json_value
from tasks.datasets.found import Sources, Upload
from tasks.datasets.rows import read_rows

ROWS = [{"q": "a", "n": "1"}, {"q": 'é, "b"\nc', "n": "2"}]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root of local datasets with the dataset org/ds."""
    (tmp_path / "root" / "org" / "ds").mkdir(parents=True)
    return tmp_path / "root"


def no_upload(_: str) -> Upload:
    raise NotFound("File not found")


def sources(root: Path | None, uploads: Callable[[str], Upload] = no_upload) -> Sources:
    return Sources(root, uploads, lambda ref: f"token of {ref}")


def read(root: Path, path: str = "", limit: int | None = None, **fields: Any) -> list[dict[str, Any]]:
    url = f"hf://datasets/org/ds/{path}".rstrip("/")
    return list(read_rows(FilesDataset(url=url, **fields), sources(root), limit=limit))


def put(root: Path, name: str, content: str | bytes) -> Path:
    path = root / "org" / "ds" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(root: Path, path: str = "", **fields: Any) -> str:
    with pytest.raises(DatasetUnreadable) as refused:
        read(root, path, **fields)
    return refused.value.message


CSV = '\ufeffq,n\r\na,1\r\n\r\n"é, ""b""\nc",2\r\n'
JSONL = "\ufeff" + "\n\n".join(json.dumps(row) for row in ROWS)


def test_every_format_gives_the_same_rows(root: Path) -> None:
    put(root, "d.csv", CSV)
    put(root, "d.json", "\ufeff" + json.dumps(ROWS, indent=1))
    put(root, "d.jsonl", JSONL)
    put(root, "d.ndjson", JSONL)
    pq.write_table(pa.Table.from_pylist(ROWS), root / "org" / "ds" / "d.parquet")
    assert [read(root, f"d.{ending}") for ending in ("csv", "json", "jsonl", "ndjson", "parquet")] == [ROWS] * 5
    put(root, "noending", JSONL)
    assert read(root, "noending", format="jsonl") == ROWS


def test_a_folder_is_all_its_data_files_in_the_order_of_their_names(root: Path) -> None:
    put(root, "b.jsonl", '{"n": 2}')
    put(root, "a.csv", "n\n1\n")
    put(root, "data/c.json", '[{"n": 3}]')
    put(root, ".gitattributes", "*.parquet filter=lfs")
    put(root, ".cache/x.jsonl", "not a row")
    put(root, "README.md", "# ds")
    assert read(root) == [{"n": "1"}, {"n": 2}, {"n": 3}]
    assert read(root, "data") == [{"n": 3}]
    assert read(root, format="jsonl") == [{"n": 2}]


def test_a_split_is_the_files_that_name_it(root: Path) -> None:
    put(root, "data/train-00000.jsonl", '{"n": 1}')
    put(root, "data/test-00000.jsonl", '{"n": 2}')
    put(root, "test/more.jsonl", '{"n": 3}')
    assert read(root, split="test") == [{"n": 2}, {"n": 3}]
    assert "no data file of the split 'validation'; it holds: data, test" in refusal(root, split="validation")


def test_the_smaller_limit_holds_and_nothing_is_read_beyond_it(root: Path) -> None:
    put(root, "d.jsonl", '{"n": 1}\n{"n": 2}\n{"n": 3}\nbroken')
    assert read(root, "d.jsonl", limit=2) == [{"n": 1}, {"n": 2}]
    assert read(root, "d.jsonl", limit=3) == [{"n": 1}, {"n": 2}, {"n": 3}]
    rows = RowsDataset(rows=[{"n": 1}, {"n": 2}])
    assert list(read_rows(rows, sources(None), limit=1)) == [{"n": 1}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.jsonl", '{"n": 1}\n\n{"n": }', "line 3 of d.jsonl is not JSON: unexpected character"),
        ("d.jsonl", '{"n": 1}\n[1]', "line 2 of d.jsonl is an array, not an object"),
        ("d.jsonl", "null", "line 1 of d.jsonl is null, not an object"),
        ("d.jsonl", '{"n": [12345678901234567890123]}', "line 1 of d.jsonl has a number of more than 64 bits"),
        ("d.jsonl", '{"n": ' + "[" * 9_999 + "]" * 9_999 + "}", "line 1 of d.jsonl is nested deeper than 200 levels"),
        (
            "d.jsonl",
            b'{"n": 1}\n{"n": "\xff"}',
            "line 2 of d.jsonl is not UTF-8: byte 8 of it is 0xFF; it seems to be in WINDOWS-1252: save the file in",
        ),
        ("d.json", b'[{"n": 1},\n{"n": "\xff"}]', "line 2 of d.json is not UTF-8: byte 8 of it is 0xFF"),
        ("d.jsonl", '{"n": "\\ud800"}', "line 1 of d.jsonl is not JSON"),
        ("d.json", '[{"n": 1},\n{"n": 2},,]', "line 2 of d.json is not JSON"),
        ("d.json", '{"n": 1}\n{"n": ', "line 2 of d.json is not JSON"),
        ("d.json", '[{"n": 1}]\n[{"n": 2}]', "line 2 of d.json is not JSON: there is more after the end of the array"),
        (
            "d.json",
            '[{"n": 1}\n{"n": 2}]',
            "line 2 of d.json is not JSON: a comma, or the end of the array, is missing",
        ),
        ("d.json", '[{"n": 1},\n', "line 2 of d.json is not JSON"),
        ("d.json", '{"rows": []}', "d.json has no rows"),
        ("d.json", '"x"', "d.json is a text, not an array of objects"),
        ("d.json", '[{"n": 1}, "x"]', "element 2 of d.json is a text, not an object"),
        ("d.json", '[{}, {"n": 99999999999999999999}]', "element 2 of d.json has a number of more than 64 bits"),
        ("d.json", "[" * 9_999 + "]" * 9_999, "line 1 of d.json is not JSON: it is nested too deeply"),
        ("d.json", '[{"n": 1},\n]', "line 2 of d.json is not JSON: there is a comma before the end of the array"),
        ("d.jsonl", '{"n": 1},\n{"n": 2},\n', "line 1 of d.jsonl is not JSON: there is a comma after an object: take"),
        (
            "d.jsonl",
            "name,n\na,1\n",
            "it begins with 'name,n\\na,1'; if it is a table with a header, say the format csv",
        ),
        ("d.csv", "q,n\na,1\nb\n", "line 3 of d.csv has 1 cells, but the header 2: q, n"),
        ("d.csv", 'q,n\n"a\nb",1\nc,2,3\n', "line 4 of d.csv has 3 cells, but the header 2: q, n"),
        ("d.csv", 'q,n\na,1\n"b,2\n', "line 3 of d.csv is not CSV: unexpected end of data"),
        ("d.csv", 'q,n\n"a"b,1\n', "line 2 of d.csv is not CSV"),
        (
            "d.csv",
            "q,q\na,1\n",
            "line 1 of d.csv: columns need names, each once; rename all but one that is called 'q'",
        ),
        ("d.csv", b"q,n\n\xff,1\n", "line 2 of d.csv is not UTF-8: byte 1 of it is 0xFF"),
        ("d.parquet", "PAR1 no", "d.parquet is not a readable Parquet file"),
        ("d.csv", "", "hf://datasets/org/ds/d.csv has no rows"),
        ("d.csv", "q,n\n", "hf://datasets/org/ds/d.csv has no rows"),
        ("d.json", "", "hf://datasets/org/ds/d.json has no rows"),
        ("d.json", "[]", "hf://datasets/org/ds/d.json has no rows"),
        ("d.jsonl", "\n \n", "hf://datasets/org/ds/d.jsonl has no rows"),
        ("d.txt", "x", "say its format: csv, json, jsonl, parquet, tsv"),
    ],
)
def test_what_is_wrong_with_a_file_is_named_with_its_line(
    root: Path, name: str, content: str | bytes, message: str
) -> None:
    put(root, name, content)
    refused = refusal(root, name)
    assert message in refused
    assert str(root) not in refused


def test_large_numbers_within_64_bits_and_digits_in_texts_are_fine(root: Path) -> None:
    put(root, "d.jsonl", '{"n": 18446744073709551615, "m": -9223372036854775808, "s": "12345678901234567890123"}')
    assert read(root, "d.jsonl") == [{"n": 2**64 - 1, "m": -(2**63), "s": "12345678901234567890123"}]
    put(root, "e.jsonl", '{"n": 0.12345678901234567890123, "m": 1e300}')
    assert read(root, "e.jsonl")[0]["n"] == 0.12345678901234568


def test_parquet_values_become_json_values(root: Path) -> None:
    day = datetime.date(2026, 1, 2)
    table = {
        "day": pa.array([day]),
        "at": pa.array([datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)]),
        "price": pa.array([Decimal("1.50")]),
        "whole": pa.array([Decimal("7")]),
        "nested": pa.array([{"xs": [day, None]}]),
        "none": pa.array([None], pa.string()),
    }
    pq.write_table(pa.table(table), root / "org" / "ds" / "d.parquet")
    assert read(root, "d.parquet") == [
        {
            "day": "2026-01-02",
            "at": "2026-01-02T03:04:05+00:00",
            "price": 1.5,
            "whole": 7,
            "nested": {"xs": ["2026-01-02", None]},
            "none": None,
        }
    ]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([[None, {"y": Decimal("1e30")}]]), "row 1 of d.parquet, column 'x': a number has more than 64"),
        (pa.array([Decimal("12345678901234567890123")]), "row 1 of d.parquet, column 'x': a number has more than 64"),
    ],
)
def test_parquet_values_that_json_cannot_say_are_named(root: Path, column: pa.Array, message: str) -> None:
    pq.write_table(pa.table({"x": column}), root / "org" / "ds" / "d.parquet")
    refused = refusal(root, "d.parquet")
    assert refused.startswith(message)
    assert str(root) not in refused


def test_parquet_columns_of_the_same_name_are_refused(root: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    pq.write_table(table, root / "org" / "ds" / "d.parquet")
    refused = refusal(root, "d.parquet")
    assert refused == "d.parquet has columns of the same name: x, x"


def test_a_missing_file_is_named_beside_what_is_there(root: Path) -> None:
    put(root, "train.jsonl", "{}")
    put(root, "data/x.csv", "a\n1\n")
    assert refusal(root, "test.jsonl").endswith(
        "there is no org/ds/test.jsonl among the local datasets; org/ds holds: data/, train.jsonl"
    )
    with pytest.raises(DatasetUnreadable, match=r"there is no org/other among the local datasets; org holds: ds/"):
        list(read_rows(FilesDataset(url="hf://datasets/org/other"), sources(root), limit=None))
    with pytest.raises(DatasetUnreadable, match="the folder of datasets holds: org/"):
        list(read_rows(FilesDataset(url="hf://datasets/nobody/other/x.csv"), sources(root), limit=None))


@pytest.mark.parametrize(
    "url",
    [
        "hf://datasets/org/ds/../../../secret.csv",
        "hf://datasets/../org/ds",
        "hf://datasets/org/ds/./d.csv",
        "hf://datasets/org//d.csv",
        "hf://datasets/org",
        "hf://datasets//etc/passwd",
        "hf://datasets/org/ds/a\\..\\b.csv",
        "hf://datasets/org/ds/a\x00.csv",
    ],
)
def test_a_path_that_steps_out_is_refused(root: Path, url: str) -> None:
    (root.parent / "secret.csv").write_text("key\nvalue\n")
    with pytest.raises(DatasetUnreadable, match="is not of the form") as refused:
        list(read_rows(FilesDataset(url=url), sources(root), limit=None))
    assert "value" not in refused.value.message


def test_a_link_that_leads_out_is_refused_as_file_folder_and_member(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text("key\nvalue\n")
    (root / "org" / "ds" / "link.csv").symlink_to(outside / "secret.csv")
    (root / "org" / "linked").symlink_to(outside)
    put(root, "inside.csv", "a\n1\n")
    (root / "org" / "ds" / "fine.csv").symlink_to(root / "org" / "ds" / "inside.csv")
    assert "leads out of the folder of datasets" in refusal(root, "link.csv")
    assert "leads out of the folder of datasets" in refusal(root)
    with pytest.raises(DatasetUnreadable, match="org/linked leads out"):
        list(read_rows(FilesDataset(url="hf://datasets/org/linked"), sources(root), limit=None))
    assert read(root, "fine.csv") == [{"a": "1"}]


def test_a_folder_without_data_says_what_it_holds(root: Path) -> None:
    put(root, "README.md", "# ds")
    assert (
        "has no data file ending in .csv, .json, .jsonl, .ndjson, .parquet, .pq, .tab, .tsv; it holds: README.md"
        in refusal(root)
    )
    with pytest.raises(DatasetUnreadable, match="no revisions; leave out @v2"):
        list(read_rows(FilesDataset(url="hf://datasets/org/ds@v2"), sources(root), limit=None))


def upload(tmp_path: Path, content: str, *names: str, **fields: Any) -> list[dict[str, Any]]:
    (tmp_path / "5f3a").write_text(content)
    stored = sources(None, uploads=lambda file_id: {"file-1": Upload(tmp_path / "5f3a", *names)}[file_id])
    return list(read_rows(FilesDataset(url="file:file-1", **fields), stored, limit=None))


@pytest.mark.parametrize(
    ("content", "names", "fields"),
    [
        ('{"n": "1"}\n{"n": "2"}', ("mine", ""), {}),
        ('[{"n": "1"}, {"n": "2"}]', ("mine.jsonl", "jsonl"), {}),
        ("n\n1\n2\n", ("mine.csv", ""), {}),
        ("n\n1\n2\n", ("mine", "csv"), {}),
        ("n\n1\n2\n", ("mine", ""), {"format": "csv"}),
        ("n\n1\n2\n", ("mine.txt", "jsonl"), {"format": "csv"}),
    ],
)
def test_an_upload_is_read_by_its_content_its_format_its_name_or_its_type(
    tmp_path: Path, content: str, names: tuple[str, ...], fields: dict[str, Any]
) -> None:
    assert upload(tmp_path, content, *names, **fields) == [{"n": "1"}, {"n": "2"}]


def test_errors_call_an_upload_by_its_users_name(tmp_path: Path) -> None:
    with pytest.raises(DatasetUnreadable, match=r"line 2 of mine\.jsonl \(file:file-1\) is not JSON"):
        upload(tmp_path, '{"n": 1}\nbroken', "mine.jsonl")
    with pytest.raises(DatasetUnreadable, match=r"mine\.txt \(file:file-1\) does not end in .*; say its format"):
        upload(tmp_path, "x", "mine.txt")
    with pytest.raises(DatasetUnreadable, match=r"mine\.jsonl \(file:file-1\) has no rows"):
        upload(tmp_path, "", "mine.jsonl")


def test_an_upload_that_was_deleted_is_named() -> None:
    with pytest.raises(DatasetUnreadable, match="file:file-1 is not here: it was deleted") as caught:
        list(read_rows(FilesDataset(url="file:file-1", format="jsonl"), sources(None), limit=None))
    assert caught.value.blame == "user"


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "file://fiqa/", "https://x.org/d.csv", "/etc/passwd", "d.csv", ""]
)
def test_any_other_address_is_refused_with_what_is_supported(root: Path, url: str) -> None:
    with pytest.raises(DatasetUnreadable) as refused:
        list(read_rows(FilesDataset(url=url), sources(root), limit=None))
    assert "is no dataset: give hf://datasets/<namespace>/<name>/<path>, or file:<id>" in refused.value.message
    assert refused.value.blame == "user"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "the list of rows in the request has no rows"),
        ([{"n": {"m": [2**64]}}], "row 1 of the request: a number has more than 64 bits"),
        ([{"n": "\ud800"}], "row 1 of the request: 'utf-8' codec can't encode"),
    ],
)
def test_rows_in_the_request_are_json_too(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(DatasetUnreadable) as refused:
        list(read_rows(RowsDataset.model_construct(rows=rows), sources(None), limit=None))
    assert message in refused.value.message


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda part: st.lists(part) | st.dictionaries(st.text(), part),
        max_leaves=5,
    )
)
def test_json_values_are_left_as_they_are(value: Any) -> None:
    kept = json_value(value, "x", Findings())
    assert kept == value
    assert json.loads(json.dumps(kept)) == value
