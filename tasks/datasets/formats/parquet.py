"""Parquet, which is told by its first bytes and read where it lies."""

from collections.abc import Iterator

from core.errors import DatasetUnreadable
from core.spec import FileFormat
from store.files.parquet import read_parquet_rows
from tasks.datasets.data_file import DataFile, Format, Row

MAGIC = b"PAR1"


def read_parquet(file: DataFile) -> Iterator[Row]:
    """Yield the rows of a Parquet file."""
    if file.is_compressed:
        raise DatasetUnreadable(
            f"{file.named} is a compressed Parquet file: decompress it; Parquet compresses by itself"
        )
    yield from read_parquet_rows(file.path, file.named, file.bounds, file.findings)


def is_parquet(head: bytes, _said: FileFormat | None) -> bool:
    """Tell whether a file begins as Parquet does."""
    return head.startswith(MAGIC)


FORMAT = Format("parquet", (".parquet", ".pq"), is_parquet, read_parquet)
