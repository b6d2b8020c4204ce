"""Rows of samples as files, made while they are sent: one block, or one row group, is in memory at a time."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from core.text import json_line
from store.results.parquet import writer_to
from store.results.sample_sql import ScoreName
from store.results.samples import ROWS

FORMULA: Final = re.compile(r"[\s\x00-\x1f\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n\ufeff]")
"""What a spreadsheet takes a cell for a formula by: a sign, wide ones too, also behind what it may leave out."""

LEAST_GROUP_BYTES: Final = 8_000_000
"""What the rows of a row group have together, but for the last: of each, a writer holds 40 kB at the file's end."""

OF_ROW: Final = tuple(name for name in ROWS.names if name != "scores")
OF_SCORE: Final = ("outcome", "label", "feedback", "error")


def records(block: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield rows as JSON values, their items and tool calls parsed."""
    for row in block.to_pylist():
        row["item"] = orjson.loads(row["item"])
        row["tool_calls"] = orjson.loads(row["tool_calls"]) if row["tool_calls"] else None
        yield row


def jsonl_parts(blocks: Iterable[pa.Table]) -> Iterator[bytes]:
    """Yield the rows as lines of JSON."""
    for block in blocks:
        yield b"".join(json_line(orjson.dumps(row)) for row in records(block))


def csv_parts(blocks: Iterable[pa.Table], scores: Sequence[ScoreName]) -> Iterator[bytes]:
    """Yield the rows as CSV: each score's value in the column `metric/name`, beside what else is known of it.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    names = ["/".join(score) for score in scores]
    yield csv_text(
        [[*OF_ROW, *(column for name in names for column in (name, *(f"{name} {part}" for part in OF_SCORE)))]]
    )
    for block in blocks:
        yield csv_text(_flat(row, scores) for row in block.to_pylist())


def parquet_parts(blocks: Iterable[pa.Table]) -> Iterator[bytes]:
    """Yield a Parquet file of the rows, with the columns of `store.results.samples.ROWS`.

    Its first part is there before any block is read.
    """
    sink = Sink()
    with writer_to(sink, ROWS) as writer:
        yield sink.drain()
        for _ in map(writer.write_table, _row_groups(blocks)):  # so that none is held while the next is read
            yield sink.drain()
    yield sink.drain()


def _row_groups(blocks: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield blocks together, as many as a row group takes."""
    held: list[pa.Table] = []
    size = 0
    for block in blocks:
        held.append(block)
        size += block.nbytes
        del block  # or it would stay while the next one is read
        if size >= LEAST_GROUP_BYTES:
            yield pa.concat_tables(held)
            held, size = [], 0
    if held:
        yield pa.concat_tables(held)


def _flat(row: dict[str, Any], scores: Sequence[ScoreName]) -> list[object]:
    found = {(score["metric"], score["name"]): score for score in row["scores"]}
    cells = [row[name] for name in OF_ROW]
    for name in scores:
        score = found.get(name, {})
        cells += [score.get("value"), *(score.get(part) for part in OF_SCORE)]
    return cells


def csv_text(rows: Iterable[Iterable[object]]) -> bytes:
    """Return rows as CSV; values that have parts are JSON, and no text is a spreadsheet's formula."""
    text = StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def plain(value: object) -> object:
    """Return a value as JSON has it: what names its parts is text, and what JSON has no form for is too."""
    if isinstance(value, dict):
        return {name if isinstance(name, str) else str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def parquet_file(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    """Return rows of any values as a Parquet file; a column whose values have no type in common is text."""
    arrays = [_array([row[place] for row in rows]) for place in range(len(columns))]
    sink = Sink()
    pq.write_table(pa.Table.from_arrays(arrays, names=list(columns)), sink, compression="zstd")
    return sink.drain()


def _array(values: Sequence[object]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values])


def _cell(value: object) -> object:
    if isinstance(value, dict | list | tuple):
        return json.dumps(plain(value), ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


class Sink:
    """A file that can only be written to; what was written is taken out in parts."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: Any) -> int:
        """Keep what is written."""
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        """Return how much was written in all."""
        return self._size

    def flush(self) -> None:
        """Nothing is held back."""

    def drain(self) -> bytes:
        """Take out what was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
