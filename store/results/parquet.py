"""Result files as Parquet: written whole with checksum and version, and read only as they were written."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import ResultsMissing, SchemaMismatch
from store.results.checksum import is_intact, with_checksum
from store.results.columns import VERSION_KEY, Schema

EXAMINED: Final = 4096
"""The versions of so many files are remembered; a file never changes while it keeps its signature."""

JOB_FOLDER: Final = "job_id="

Signature = tuple[int, int, int]


def as_parquet(table: pa.Table) -> Callable[[Path], object]:
    """Return what fills a file with a table."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    content = with_checksum(sink.getvalue().to_pybytes())
    return lambda file: file.write_bytes(content)


def read_parquet(path: Path, schema: Schema, columns: list[str] | None = None) -> pa.Table | None:
    """Return a file's columns, all or those named, with nulls where it is older than they are; None if it is not there.

    Raises as `version_of` does.
    """
    version = version_of(path, schema)
    if version is None:
        return None
    kept = schema.at(version).names
    wanted = kept if columns is None else [name for name in kept if name in columns]
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(wanted, use_threads=False)
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(path) from error
    return schema.filled(table, columns)


def version_of(path: Path, schema: Schema) -> int | None:
    """Return the version of a file that is as it was written; None if there is none.

    Raises ResultsMissing if it is damaged, and SchemaMismatch if a newer release wrote it.
    """
    try:
        stat = path.stat()
        return _version(path, schema, (stat.st_ino, stat.st_size, stat.st_mtime_ns))
    except (FileNotFoundError, NotADirectoryError):
        return None


def place(path: Path) -> str:
    """Return how a path in a job's folder is called to users, who are not told where the home is."""
    parts = path.parts
    at = next((n for n, part in enumerate(parts) if part.startswith(JOB_FOLDER)), len(parts))
    return "/".join(parts[at - 1 :])


def damaged(path: Path) -> ResultsMissing:
    """Return the error of a file that is not as it was written."""
    return ResultsMissing(f"{place(path)} is damaged: restore it from a backup, or run job {_job_of(path)} again")


def missing(path: Path) -> ResultsMissing:
    """Return the error of a file that should be there."""
    return ResultsMissing(f"{place(path)} is missing: restore it from a backup, or run job {_job_of(path)} again")


def newer(path: Path, kind: str, version: int, known: int) -> SchemaMismatch:
    """Return the error of a file that a newer release wrote."""
    return SchemaMismatch(
        f"{place(path)} is of version {version} of {kind}, this release reads up to {known}: use a newer Assay"
    )


def _job_of(path: Path) -> str:
    return next(part for part in path.parts if part.startswith(JOB_FOLDER)).removeprefix(JOB_FOLDER)


@lru_cache(EXAMINED)
def _version(path: Path, schema: Schema, _signature: Signature) -> int:
    data = path.read_bytes()
    if not is_intact(data):
        raise damaged(path)
    try:
        kept = pq.read_schema(pa.BufferReader(data))
        version = int((kept.metadata or {})[VERSION_KEY])
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise damaged(path) from error
    if version > schema.version:
        raise newer(path, schema.kind, version, schema.version)
    if not kept.equals(schema.at(version)):
        raise damaged(path)
    return version
