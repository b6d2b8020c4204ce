"""Whether what lies in a job's folder can be read, seen before one goes on from it or sends it to somebody."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from core.plan import Shard
from store.results.folder import JobFolder
from store.results.parquet import row_groups, told_version, version_of
from store.results.schemas import SCHEMAS

CHECKED_BYTES: Final = 200_000_000
"""What is looked through before something is sent takes a fifth of a second."""


def check_shard(folder: JobFolder, shard: Shard) -> None:
    """Check that the files that are there of a shard are as they were written.

    Raises ResultsMissing, naming one that is not, and SchemaMismatch.
    """
    for file, schema in folder.files_of(shard):
        version_of(file, schema)


def check_readable(folder: JobFolder) -> None:
    """See that the plan and all result files can be read, before one begins to send what is in them.

    Of files beyond the first `CHECKED_BYTES` only how they end is read, since somebody waits. Raises ResultsMissing
    or SchemaMismatch for the first that cannot be read.
    """
    folder.read_manifest()
    size = 0
    for kind, schema in SCHEMAS.items():
        for file in map(folder.objects.file, folder.files(kind)):
            size += file.stat().st_size
            (version_of if size <= CHECKED_BYTES else told_version)(file, schema)


def extents(folder: JobFolder, shard: Shard) -> Iterator[tuple[Path, range]]:
    """Yield the files that there are of a shard, each with samples of which the first and the last have rows."""
    for file, schema in folder.files_of(shard):
        for group in row_groups(file, schema):
            yield file, range(group.start, group.stop)
