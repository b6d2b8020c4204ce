"""Result files as Parquet: written whole with checksum and version, and read only as they were written."""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import ResultsMissing, SchemaMismatch
from store.files.atomic import storing
from store.results.checksum import Sealed, is_intact
from store.results.columns import GROUP_BYTES, VERSION_KEY, Schema

EXAMINED: Final = 4096
"""The versions of so many files are remembered; a file never changes while it keeps its signature."""

JOB_FOLDER: Final = "job_id="

TEXTS: Final = frozenset({"item", "request", "response", "text", "output", "reasoning", "tool_calls", "feedback"})
"""Columns whose texts are kept as they are, however often they come: a row group takes so much memory as it says."""

Signature = tuple[int, int, int]


def use_system_memory() -> None:
    """Have the tables of this process lie in memory that the system's allocator gives, and takes back."""
    pa.set_memory_pool(pa.system_memory_pool())


def writer_to(sink: object, schema: pa.Schema) -> pq.ParquetWriter:
    """Return what writes tables as the row groups of a Parquet file, long texts as they are."""
    packed = [path for path in _paths(schema) if path.rpartition(".")[2] not in TEXTS]
    return pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        write_page_checksum=True,
        use_dictionary=packed,
        write_statistics=packed,  # which hold six copies of the longest text while a row group is written
    )


def _paths(fields: Iterable[pa.Field], at: str = "") -> Iterator[str]:
    """Yield the paths of columns as Parquet has them, those in structs and lists too."""
    for field in fields:
        if pa.types.is_struct(field.type):
            yield from _paths(field.type, f"{at}{field.name}.")
        elif pa.types.is_list(field.type):
            yield from _paths([field.type.value_field.with_name("list.element")], f"{at}{field.name}.")
        else:
            yield at + field.name


class RowGroup(NamedTuple):
    """Rows of a file that are read together: of samples from one up to another, with so many bytes."""

    start: int
    stop: int
    size: int


@contextmanager
def drafted(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[Path]:
    """Give a file beside `path` with tables, each a row group, of which one is made at a time; it may be moved.

    Raises StorageFull for what cannot be written; what goes wrong in making a table is not of the storage.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.touch(mode=0o600, exist_ok=False)
        file = draft.open("r+b")
    try:
        _write(path, file, tables, schema)
        yield draft
    finally:
        with storing(path):
            draft.unlink(missing_ok=True)


def _write(path: Path, file: IO[bytes], tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write tables and their checksum to a file, and close it; errors call it `path`."""
    sealed = Sealed(file)
    writer = writer_to(sealed, schema)
    try:
        for table in tables:
            with storing(path):
                writer.write_table(table)
        with storing(path):
            writer.close()
            sealed.seal()
            file.close()
    except BaseException:
        sealed.give_up()
        with suppress(pa.ArrowException, OSError):
            writer.close()
        with suppress(OSError):
            file.close()
        raise


def read_parquet(
    path: Path, schema: Schema, columns: list[str] | None = None, samples: range | None = None
) -> pa.Table | None:
    """Return a file's columns, all or those named, with nulls where it is older than they are; None if it is not there.

    Of `samples` alone if they are given: the others are not kept in memory. Raises as `version_of` does.
    """
    version = version_of(path, schema)
    if version is None:
        return None
    kept = schema.at(version).names
    wanted = kept if columns is None else [name for name in kept if name in columns]
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(wanted, use_threads=False) if samples is None else _of_samples(file, wanted, samples)
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(path) from error
    return schema.filled(table, columns)


def row_groups(path: Path, schema: Schema) -> list[RowGroup]:
    """Return how a file of samples is divided; not at all if it is not there. Raises as `version_of` does."""
    if version_of(path, schema) is None:
        return []
    try:
        with pq.ParquetFile(path) as file:
            return list(_row_groups(file))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(path) from error


def spans(groups: Iterable[RowGroup], samples: range) -> Iterator[range]:
    """Yield samples in spans that are small enough to be held, whose rows are in `groups` of one file or of several."""
    start, size = samples.start, 0
    for group in sorted(groups):
        if size + group.size > GROUP_BYTES and group.start > start:
            yield range(start, group.start)
            start, size = group.start, 0
        size += group.size
    yield range(start, samples.stop)


def _of_samples(file: pq.ParquetFile, wanted: list[str], samples: range) -> pa.Table:
    groups = list(_row_groups(file))
    read = [n for n, group in enumerate(groups) if group.start < samples.stop and samples.start < group.stop]
    if all(samples.start <= groups[n].start and groups[n].stop <= samples.stop for n in read):
        return file.read_row_groups(read, wanted, use_threads=False)
    table = file.read_row_groups(read, [*wanted, "sample"], use_threads=False)
    number = table["sample"]
    return table.filter(pc.and_(pc.greater_equal(number, samples.start), pc.less(number, samples.stop)))


def _row_groups(file: pq.ParquetFile) -> Iterator[RowGroup]:
    column = file.schema_arrow.names.index("sample")
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        if group.num_rows:
            numbers = group.column(column).statistics
            yield RowGroup(numbers.min, numbers.max + 1, group.total_byte_size)


def version_of(path: Path, schema: Schema) -> int | None:
    """Return the version of a file that is as it was written; None if there is none.

    Raises ResultsMissing if it is damaged, and SchemaMismatch if a newer release wrote it.
    """
    try:
        stat = path.stat()
        return _version(path, schema, (stat.st_ino, stat.st_size, stat.st_mtime_ns))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
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
    with path.open("rb") as file:
        if not is_intact(file):
            raise damaged(path)
    return told_version(path, schema)


def told_version(path: Path, schema: Schema) -> int:
    """Return the version that a file says that it has; what else is in it is not looked at. Raises as `version_of`."""
    try:
        kept = pq.read_schema(path)
        version = int((kept.metadata or {})[VERSION_KEY])
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise damaged(path) from error
    if version > schema.version:
        raise newer(path, schema.kind, version, schema.version)
    if not kept.equals(schema.at(version)):
        raise damaged(path)
    return version
