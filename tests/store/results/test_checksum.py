from io import BytesIO
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from store.results import checksum
from store.results.checksum import Sealed


def parquet(rows: int = 300) -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.table({"n": list(range(rows)), "text": [f"text {n % 7}" for n in range(rows)]})
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue().to_pybytes()


def with_checksum(data: bytes) -> bytes:
    file = BytesIO()
    sealed = Sealed(file)
    for start in range(0, len(data), 1000):
        sealed.write(data[start : start + 1000])
    sealed.seal()
    return file.getvalue()


def is_intact(data: bytes) -> bool:
    return checksum.is_intact(BytesIO(data))


PLAIN = parquet()
SEALED = with_checksum(PLAIN)


def test_a_sealed_file_reads_as_before_and_is_intact(tmp_path: Path) -> None:
    path = tmp_path / "with_checksum.parquet"
    path.write_bytes(SEALED)
    assert pq.read_table(path).equals(pq.read_table(pa.BufferReader(PLAIN)))
    assert duckdb.execute(f"SELECT count(*), sum(n) FROM '{path}'").fetchall() == [(300, sum(range(300)))]
    assert is_intact(SEALED)
    assert not is_intact(PLAIN)


def test_no_flipped_bit_goes_unseen() -> None:
    for at in range(len(SEALED)):
        for bit in range(8):
            assert not is_intact(SEALED[:at] + bytes([SEALED[at] ^ 1 << bit]) + SEALED[at + 1 :]), (at, bit)


@given(st.integers(0, len(SEALED) - 1), st.binary(max_size=12))
def test_neither_does_a_cut_nor_what_was_put_in_its_place(at: int, instead: bytes) -> None:
    damaged = SEALED[:at] + instead
    assert is_intact(damaged) == (damaged == SEALED)
