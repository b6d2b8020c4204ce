"""SQL over the results of all jobs: an in-memory DuckDB that sees the result files and nothing else.

The files are read by Arrow and handed to DuckDB, whose own access to files and extensions is off
for good, so that SQL given by a user can neither read nor write any file.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from core.errors import InvalidInput
from store.objects.disk import DISK
from store.objects.objects import Objects
from store.results.columns import Schema
from store.results.parquet import JOB_FOLDER, version_of
from store.results.schemas import JOB, SCHEMAS

PARQUET: Final = ds.ParquetFileFormat(
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True)
)


class Answer(NamedTuple):
    """What a query gave: the names of its columns, and its rows."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


def query(results: Path, sql: str, parameters: Sequence[object] = (), objects: Objects = DISK) -> Answer:
    """Answer one query over the views.

    Raises InvalidInput with DuckDB's message if it cannot be done, and ResultsMissing if a file is damaged.
    """
    with open_views(results, objects=objects) as connection:
        try:
            cursor = connection.execute(sql, list(parameters))
            return Answer([column[0] for column in cursor.description or ()], cursor.fetchall())
        except duckdb.Error as error:
            check_files(results, str(error), objects)
            raise InvalidInput(f"the query failed: {error}") from error


def open_views(
    results: Path, bounds: Mapping[str, str | int] = {}, objects: Objects = DISK
) -> duckdb.DuckDBPyConnection:
    """Open the views jobs, samples, calls, outputs, scores and summaries, as the files are now.

    Each has the columns of `store.results.schemas` and `job_id`, and is empty where there are no files. `bounds` are
    settings of DuckDB's.
    """
    closed: dict[str, str | bool | int | float | list[str]] = {
        **bounds,
        "enable_external_access": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(":memory:", config=closed)
    files = _files(results.absolute(), objects)
    for view, schema in views():
        connection.register(view, _dataset(schema.arrow, files[view], objects.name(results.absolute()), objects))
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET lock_configuration = true")
    return connection


def check_files(results: Path, message: str, objects: Objects = DISK) -> None:
    """Raise ResultsMissing if a message tells of a view whose files could not be read, and one of them is damaged."""
    for view in re.findall(r"the stream registered as '(\w+)' failed", message):
        schema = dict(views())[view]
        for _, file in _files(results.absolute(), objects)[view]:
            version_of(objects.file(results.absolute() / file), schema)


def views() -> Iterator[tuple[str, Schema]]:
    """Yield each view with the columns that it has besides `job_id`."""
    yield "jobs", JOB
    yield from SCHEMAS.items()


def _dataset(schema: pa.Schema, files: Sequence[tuple[str, str]], root: str, objects: Objects) -> ds.Dataset:
    return ds.FileSystemDataset.from_paths(
        [f"{root}/{name}" for _, name in files],
        schema=schema.append(pa.field("job_id", pa.string())),
        format=PARQUET,
        filesystem=objects.filesystem,
        partitions=[ds.field("job_id") == job_id for job_id, _ in files],
    )


def _files(results: Path, objects: Objects) -> Mapping[str, Sequence[tuple[str, str]]]:
    """Return the files of each view, by their names below the results, with their jobs."""
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for name in sorted(objects.below(results)):
        folder, *within = name.split("/")
        if folder.startswith(JOB_FOLDER) and name.endswith(".parquet") and not within[-1].startswith("."):
            view = "jobs" if len(within) == 1 else within[0]
            found[view].append((folder.removeprefix(JOB_FOLDER), name))
    return found
