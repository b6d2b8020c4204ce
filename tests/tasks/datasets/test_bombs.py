"""Small files that hold far too much: refused by name, within bounds of memory, measured in a process of their own."""

import bz2
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store.files.bounds import MAX_COLUMNS, Bounds
from tests.tasks.datasets.bombs import MB, PACKED, TABLES, TEXT
from tests.tasks.datasets.given import put, read, refusal

BOUNDS = Bounds(row=2 * MB, decoded=15 * MB, held=8 * MB)
"""Smaller than by default, so that small bombs are enough."""

GROWTH_MB = 180
"""Most is taken by values of JSON, of which a document may have 2,000,000; each bomb would take 240 MB or more."""

READ = """
import json, re, sys
from pathlib import Path
from core.errors import DatasetUnreadable
from core.spec import FilesDataset
from store.files.bounds import Bounds
from tasks.datasets.found import Sources
from tasks.datasets.rows import read_rows
import pyarrow.compute

def peak():
    # not ru_maxrss: that of a new process begins with its parent's
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

root, bounds = Path(sys.argv[1]), Bounds(*map(int, sys.argv[2:5]))
said = {}
before = peak()
for name in sys.argv[5:]:
    try:
        dataset = FilesDataset(url=f"hf://datasets/org/ds/{name}")
        rows = read_rows(dataset, Sources(root, None, None, bounds), limit=None)
        message = f"{sum(1 for row in rows)} rows"
    except DatasetUnreadable as error:
        message = error.message
    said[name] = [message, (peak() - before) // 1024]
print(json.dumps(said))
"""
"""Reads files one after another; says what came of each, and by how many MB the process has grown till then."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    """What came of reading every bomb, all in one process, and by how many MB that had grown."""
    root = tmp_path_factory.mktemp("root")
    for name, (content, _) in PACKED.items():
        put(root, name, content)
    for name, (columns, how, _) in TABLES.items():
        pq.write_table(pa.table(columns()), root / "org" / "ds" / name, compression="zstd", **how)
    names = [*PACKED, *TABLES]
    assert all((root / "org" / "ds" / name).stat().st_size < 3 * MB for name in names)
    bounds = map(str, (BOUNDS.row, BOUNDS.decoded, BOUNDS.held))
    command = [sys.executable, "-c", READ, str(root), *bounds, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    return {name: (message, grown) for name, (message, grown) in json.loads(done.stdout).items()}


@pytest.mark.thorough
@pytest.mark.parametrize("name", [*PACKED, *TABLES])
def test_a_bomb_is_refused_by_name_in_little_memory(outcomes: dict[str, tuple[str, int]], name: str) -> None:
    message, grown = outcomes[name]
    assert message.startswith((PACKED.get(name) or TABLES[name])[-1])
    assert grown < GROWTH_MB


def test_what_a_footer_says_of_its_pages_is_not_believed(tmp_path: Path) -> None:
    path = put(tmp_path, "d.parquet", b"")
    pq.write_table(pa.table({"q": pa.array([TEXT * 20])}), path, compression="zstd", use_dictionary=False)
    size = pq.read_metadata(path).row_group(0).column(0).total_uncompressed_size
    content, true = path.read_bytes(), varint(size)
    footer = content.rindex(true, 0, content.rindex(true))  # the last is of the row group
    false = b"\xd0\x8f" + b"\x80" * (len(true) - 3) + b"\x00"  # 1,000
    path.write_bytes(content[:footer] + false + content[footer + len(true) :])
    assert pq.read_metadata(path).row_group(0).column(0).total_uncompressed_size == 1_000
    message = refusal(tmp_path, "d.parquet", bounds=BOUNDS)
    assert message.startswith("row group 1 of d.parquet, column 'q', may decode to 40,")


def varint(value: int) -> bytes:
    """A whole number of 64 bits as Thrift's compact protocol has it."""
    value <<= 1
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    return bytes([*written, value])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.csv", ",".join(f"c{number}" for number in range(MAX_COLUMNS + 1)) + "\n"),
        ("d.jsonl", json.dumps({f"c{number}": 1 for number in range(MAX_COLUMNS + 1)})),
        ("d.json", json.dumps([{f"c{number}": 1 for number in range(MAX_COLUMNS + 1)}])),
    ],
)
def test_too_many_columns_are_refused(tmp_path: Path, name: str, content: str) -> None:
    put(tmp_path, name, content)
    assert f"of {name} has 10,001 columns, of at most 10,000" in refusal(tmp_path, name)


def test_too_many_columns_of_parquet_are_refused(tmp_path: Path) -> None:
    path = put(tmp_path, "d.parquet", b"")
    pq.write_table(pa.table({f"c{number}": pa.array([1], pa.int8()) for number in range(MAX_COLUMNS + 1)}), path)
    assert refusal(tmp_path, "d.parquet") == "d.parquet has 10,001 columns, of at most 10,000"


@pytest.mark.parametrize("depth", [201, 900, 5_000, 100_000])
@pytest.mark.parametrize("name", ["d.jsonl", "d.json", "d.json.gz"])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
def test_values_that_are_nested_deeply_are_refused(tmp_path: Path, name: str, depth: int, begin: str, end: str) -> None:
    row = '{"q": ' + begin * depth + "1" + end * depth + "}"
    content = (row if name == "d.jsonl" else f"[{row}]").encode()
    put(tmp_path, name, gzip.compress(content) if name.endswith("gz") else content)
    message = refusal(tmp_path, name)
    assert "depth limit" in message
    assert len(message) < 200


def test_values_of_200_levels_are_read(tmp_path: Path) -> None:
    put(tmp_path, "d.jsonl", '{"q": ' + "[" * 199 + "]" * 199 + "}")
    assert len(read(tmp_path, "d.jsonl")) == 1


@pytest.mark.parametrize("digits", [20, 5_000, 100_000])
@pytest.mark.parametrize("name", ["d.jsonl", "d.json"])
def test_numbers_of_many_digits_are_refused(tmp_path: Path, name: str, digits: int) -> None:
    row = '{"q": [' + "9" * digits + "]}"
    put(tmp_path, name, row if name == "d.jsonl" else f"[{row}]")
    message = refusal(tmp_path, name)
    assert f"of {name} has a number of more than 64 bits in 'q'" in message


@pytest.mark.parametrize(
    "path", ["x" * 300, "a/" * 2_000 + "x", "x" * 100_000 + ".jsonl", "é" * 200, "\ud800.jsonl", "x" * 256 + "/a.csv"]
)
def test_a_path_that_no_disk_holds_is_one_sentence(tmp_path: Path, path: str) -> None:
    (tmp_path / "org" / "ds").mkdir(parents=True)
    message = refusal(tmp_path, path)
    assert "is too long" in message or "is not of the form" in message
    assert len(message) < 500


def test_the_bounds_are_settings(tmp_path: Path) -> None:
    put(tmp_path, "d.jsonl", '{"q": "' + "x" * 1_000 + '"}\n')
    put(tmp_path, "d.jsonl.bz2", bz2.compress(b'{"q": "a"}\n' * 100_000))
    assert refusal(tmp_path, "d.jsonl", bounds=Bounds(row=1_000)).startswith("line 1 of d.jsonl is longer than 1,000 b")
    assert "decodes to more than 10,000 bytes" in refusal(tmp_path, "d.jsonl.bz2", bounds=Bounds(decoded=10_000))
    assert len(read(tmp_path, "d.jsonl", bounds=Bounds(row=1_010))) == 1
    assert len(read(tmp_path, "d.jsonl.bz2", bounds=Bounds(decoded=2_000_000))) == 100_000
