"""SQL over the results of all jobs: an in-memory DuckDB that sees the result files and nothing else.

The files are read by Arrow and handed to DuckDB, whose own access to files and extensions is off
for good, so that SQL given by a user can neither read nor write any file.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem

from core.errors import InvalidInput
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


def query(results: Path, sql: str, parameters: Sequence[object] = ()) -> Answer:
    """Answer one query over the views.

    Raises InvalidInput with DuckDB's message if it cannot be done, and ResultsMissing if a file is damaged.
    """
    with open_views(results) as connection:
        try:
            cursor = connection.execute(sql, list(parameters))
            return Answer([column[0] for column in cursor.description or ()], cursor.fetchall())
        except duckdb.Error as error:
            check_files(results, str(error))
            raise InvalidInput(f"the query failed: {error}") from error


def open_views(results: Path, bounds: Mapping[str, str | int] = {}) -> duckdb.DuckDBPyConnection:
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
    folders = list(_job_folders(results.absolute()))
    for view, schema in views():
        files = [(job_id, file) for job_id, folder in folders for file in _files(view, folder)]
        connection.register(view, _dataset(schema.arrow, files))
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET lock_configuration = true")
    return connection


def check_files(results: Path, message: str) -> None:
    """Raise ResultsMissing if a message tells of a view whose files could not be read, and one of them is damaged."""
    for view in re.findall(r"the stream registered as '(\w+)' failed", message):
        schema = dict(views())[view]
        for _, folder in _job_folders(results.absolute()):
            for file in _files(view, folder):
                version_of(Path(file), schema)


def views() -> Iterator[tuple[str, Schema]]:
    """Yield each view with the columns that it has besides `job_id`."""
    yield "jobs", JOB
    yield from SCHEMAS.items()


def _dataset(schema: pa.Schema, files: Sequence[tuple[str, str]]) -> ds.Dataset:
    return ds.FileSystemDataset.from_paths(
        [file for _, file in files],
        schema=schema.append(pa.field("job_id", pa.string())),
        format=PARQUET,
        filesystem=LocalFileSystem(),
        partitions=[ds.field("job_id") == job_id for job_id, _ in files],
    )


def _job_folders(results: Path) -> Iterator[tuple[str, str]]:
    for name in _names(str(results)):
        if name.startswith(JOB_FOLDER):
            yield name.removeprefix(JOB_FOLDER), f"{results}/{name}"


def _files(view: str, folder: str) -> list[str]:
    if view == "jobs":
        file = f"{folder}/job.parquet"
        return [file] if os.path.isfile(file) else []
    return [f"{folder}/{view}/{name}" for name in _names(f"{folder}/{view}") if name.endswith(".parquet")]


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
