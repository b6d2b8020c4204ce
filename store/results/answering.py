"""The process that answers one query: `python -m store.results.answering RESULTS FORM ROWS`, with the SQL as its input.

What SQL can ask for knows no bounds that DuckDB keeps: a list of a thousand million numbers takes 20 GB whatever its
memory limit is, and heeds no interrupt. So the kernel bounds it, and its parent ends it (`store.results.asking`).
"""

import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import AssayError, InvalidInput
from store.objects.disk import DISK
from store.objects.objects import Objects
from store.objects.place import place_of
from store.results.exports import Sink, csv_text, plain
from store.results.views import check_files, open_views

LIMITS: Final = {
    resource.RLIMIT_DATA: 700_000_000,
    resource.RLIMIT_CPU: 60,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_CORE: 0,
}
"""Bytes of memory, seconds of the processor, and bytes that any file may have which it writes."""

BLOCK: Final = 5_000
BOUNDS: Final[dict[str, str | int]] = {"memory_limit": "256MB", "threads": 1}

LONGEST_CELL: Final = 2_000
"""Characters of a value that are shown; a file has the whole."""

ROOM: Final = 60_000
"""Bytes of values that are shown, after which an answer goes on in a file."""

CELL: Final = 40
"""Bytes that an empty value takes."""

LONGEST: Final = 2_000
"""Characters of a sentence about what is wrong."""

REFUSED: Final = 3
"""The exit code where the errors' output has a sentence for the user."""

NO_MEMORY: Final = 97
"""The exit code of a process that may have no more memory."""


def main(results: str, form: str, rows: str, store: str | None = None) -> int:
    """Write the answer in a form, at most so many rows of it; `store` is where ASSAY_STORE says that results lie."""
    for limit, bound in LIMITS.items():
        if not (store and limit == resource.RLIMIT_FSIZE):  # what may be damaged is copied from there
            resource.setrlimit(limit, (bound, bound))
    try:
        for part in answer(Path(results), sys.stdin.read(), form, int(rows), place_of(store, Path(results).parent)):
            sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
    except AssayError as error:
        sys.stderr.write(error.message[:LONGEST])
        return REFUSED
    except MemoryError:
        return NO_MEMORY
    return 0


def answer(results: Path, sql: str, form: str, rows: int, objects: Objects = DISK) -> Iterator[bytes]:
    """Yield the answer as CSV or Parquet, or its beginning as JSON, with whether it goes on.

    Raises InvalidInput with what is wrong with the query.
    """
    with open_views(results, BOUNDS, objects) as connection:
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1:
                raise InvalidInput(f"ask one query at a time; there are {len(statements)}")
            found = connection.execute(statements[0])
            columns = [column[0] for column in found.description or ()]
            if form == "json":
                yield json.dumps([columns, *_beginning(found, rows)], ensure_ascii=False).encode()
            elif form == "csv":
                yield csv_text([columns])
                while block := found.fetchmany(min(BLOCK, rows)):
                    rows -= len(block)
                    yield csv_text(block)
            else:
                yield from _parquet(found.to_arrow_reader(BLOCK), rows)
        except duckdb.Error as error:
            check_files(results, str(error), objects)
            raise InvalidInput(f"the query failed: {error}") from error
        except pa.ArrowNotImplementedError as error:
            raise InvalidInput(f"a value of the answer has no form in {form}; cast it to text: {error}") from error


def _beginning(found: duckdb.DuckDBPyConnection, most: int) -> tuple[list[list[object]], bool]:
    rows: list[list[object]] = []
    room = ROOM
    while (row := found.fetchone()) is not None:
        if len(rows) == most or room <= 0:
            return rows, True
        rows.append([_shown(value) for value in row])
        room -= sum(CELL + len(str(value).encode()) for value in rows[-1])
    return rows, False


def _shown(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
    if len(text) > LONGEST_CELL:
        return f"{text[:LONGEST_CELL]}…"
    return plain(value)


def _parquet(blocks: pa.RecordBatchReader, rows: int) -> Iterator[bytes]:
    sink = Sink()
    with pq.ParquetWriter(sink, blocks.schema, compression="zstd") as writer:
        for block in blocks:
            writer.write_batch(block.slice(0, rows))
            rows -= min(rows, len(block))
            yield sink.drain()
            if not rows:
                break
    yield sink.drain()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
