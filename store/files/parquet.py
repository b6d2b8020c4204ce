"""Rows of users' Parquet files as JSON values, of which no more is decoded at a time than memory has room for."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import JsonValue

from core.errors import DatasetUnreadable
from store.files.bounds import MAX_COLUMNS, MAX_VALUES, Bounds
from store.files.parquet_pages import plan, read_groups
from store.files.times import PER_SECOND, iso_date, iso_time, iso_timestamp
from store.files.values import LEFT_OUT, Findings, Seconds, json_value

_READ_BYTES = 1 << 20
_FOOTER = {"thrift_string_size_limit": 50_000_000, "thrift_container_size_limit": 200_000}


def read_parquet_rows(path: Path, named: str, bounds: Bounds, findings: Findings) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file as JSON values, dates as ISO text.

    Raises DatasetUnreadable if it is no whole Parquet file, or naming row group, row and column of what JSON cannot
    say, and of what is too large; the file is called `named`.
    """
    try:
        number = size = 0
        for place, batch in _batches(path, named, bounds):
            for row_bytes, row in _rows(batch, number, place, bounds):
                number += 1
                size += row_bytes
                bounds.refuse_growth(named, path, size)
                findings.place = f"row {number}"
                cells = ((name, _cell(named, name, value, findings)) for name, value in row.items())
                yield {name: cell for name, cell in cells if cell is not LEFT_OUT}
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:  # KeyError: the names of columns are damaged
        raise DatasetUnreadable(f"{named} is not a readable Parquet file: {error}") from error


def _batches(path: Path, named: str, bounds: Bounds) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield the rows of a file in batches that are small enough to be held, each with what errors call its place."""
    with pq.ParquetFile(path, **_FOOTER) as file:
        metadata = file.metadata
    if metadata.num_columns > MAX_COLUMNS:
        raise DatasetUnreadable(f"{named} has {metadata.num_columns:,} columns, of at most {MAX_COLUMNS:,}")
    schema = [metadata.schema.column(index) for index in range(metadata.num_columns)]
    with path.open("rb") as headers:
        for number, group in enumerate(read_groups(headers, len(schema))):
            where = f"row group {number + 1} of {named}"
            planned = plan(headers, group, schema, bounds.held, where, partial(_dictionary, path, metadata, number))
            with _open(path, metadata, planned.dictionaries) as file:
                _refuse_duplicates(named, file.schema_arrow.names)
                missing = group.rows
                for batch in file.iter_batches(batch_size=planned.rows, row_groups=[number]):
                    missing -= len(batch)
                    yield f"of {where}", batch
                if missing:  # pyarrow stops at a page that it cannot go beyond, and says nothing
                    raise DatasetUnreadable(f"{where} is damaged: {missing} rows are missing")


def _open(path: Path, metadata: Any, dictionaries: Sequence[str]) -> pq.ParquetFile:
    """Open a file to be read in steps, with the texts of some columns as places in their dictionaries."""
    return pq.ParquetFile(
        path,
        metadata=metadata,
        read_dictionary=dictionaries,
        buffer_size=_READ_BYTES,
        pre_buffer=False,
        coerce_int96_timestamp_unit="us",
    )


def _dictionary(path: Path, metadata: Any, group: int, column: str) -> list[int]:
    """Return how long the texts are that a column has in its dictionary where its first row is read."""
    with _open(path, metadata, [column]) as file:
        batch = next(file.iter_batches(batch_size=1, row_groups=[group], columns=[column]))
    values = batch.columns[0]
    while not pa.types.is_dictionary(values.type):
        values = next(part for part in _parts(values) if _has_dictionary(part.type))
    lengths: list[int] = pc.binary_length(values.dictionary).to_pylist()
    return lengths


def _has_dictionary(kind: pa.DataType) -> bool:
    """Tell whether a type has texts that are read as places in a dictionary."""
    if pa.types.is_dictionary(kind):
        return True
    return any(_has_dictionary(kind.field(index).type) for index in range(kind.num_fields))


def _rows(batch: pa.RecordBatch, before: int, place: str, bounds: Bounds) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a batch, each with its bytes; a batch that is large is decoded row by row."""
    size, values = _extent(batch)
    if size <= bounds.row and values <= MAX_VALUES:
        for row in _python(batch):
            yield size // len(batch), row
        return
    for index in range(len(batch)):
        row = batch.slice(index, 1)
        size, values = _extent(row)
        if size > bounds.row or values > MAX_VALUES:
            extents = {name: _extent_of(column) for name, column in zip(row.schema.names, row.columns, strict=True)}
            column = max(extents, key=lambda name: extents[name])
            where = f"row {before + index + 1} {place}, column {column!r},"
            bounds.refuse_row(where, extents[column][0])
            bounds.refuse_row(f"row {before + index + 1} {place}", size)
            raise DatasetUnreadable(f"{where} holds {extents[column][1]:,} values; a row may have {MAX_VALUES:,}")
        yield size, _python(row)[0]


def _extent(batch: pa.RecordBatch) -> tuple[int, int]:
    extents = [_extent_of(column) for column in batch.columns]
    return sum(size for size, _ in extents), sum(values for _, values in extents)


def _extent_of(array: pa.Array) -> tuple[int, int]:
    """Return the bytes that an array has with every text written out, and how many values are in its lists."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        lengths = pc.take(pc.binary_length(array.dictionary), array.indices)
        return pc.sum(lengths).as_py() or 0, len(array)
    if isinstance(array, pa.ExtensionArray):
        return _extent_of(array.storage)
    parts = _parts(array)
    extents = [_extent_of(part) for part in parts] if parts else [(array.nbytes, len(array))]
    return sum(size for size, _ in extents), sum(values for _, values in extents)


def _parts(array: pa.Array) -> list[pa.Array]:
    """Return the arrays of the members of a nested array's rows, or of their items; none of one that is not nested."""
    kind = array.type
    if pa.types.is_struct(kind):
        return list(array.flatten())
    if pa.types.is_map(kind):
        return [array.keys, array.items]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return [array.flatten()]
    return []


def _python(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return the rows of a batch as Python's values, and times that Python does not know as ISO text."""
    try:
        rows: list[dict[str, Any]] = batch.to_pylist()
    except (ValueError, OverflowError):
        columns = [[_plain(scalar) for scalar in column] for column in batch.columns]
        rows = [dict(zip(batch.schema.names, values, strict=True)) for values in zip(*columns, strict=True)]
    return rows


def _plain(scalar: Any) -> Any:
    if not scalar.is_valid:
        return None
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        kind = scalar.type
    if pa.types.is_struct(kind):
        return {name: _plain(member) for name, member in scalar.items()}
    if pa.types.is_dictionary(kind):
        return _plain(scalar.value)
    if hasattr(scalar, "values"):
        return [_plain(item) for item in scalar.values]
    if hasattr(scalar, "as_buffer"):  # a text that is no UTF-8, which is for JSON to refuse
        return scalar.as_buffer().to_pybytes().decode(errors="surrogateescape")
    return _time(scalar.value, kind)


def _time(value: int, kind: pa.DataType) -> str | Seconds:
    """Return a time that Python has no value for."""
    if pa.types.is_timestamp(kind):
        return iso_timestamp(value, kind.unit, in_utc=kind.tz is not None)
    if pa.types.is_duration(kind):
        return Seconds(value / PER_SECOND[kind.unit])
    if pa.types.is_time(kind):
        return iso_time(value, kind.unit)
    return iso_date(value if pa.types.is_date32(kind) else value // 86_400_000)


def _refuse_duplicates(named: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise DatasetUnreadable(f"{named} has columns of the same name: {', '.join(sorted(names))}")


def _cell(named: str, column: str, value: object, findings: Findings) -> JsonValue:
    try:
        return json_value(value, column, findings)
    except (ValueError, RecursionError) as error:
        raise DatasetUnreadable(f"{findings.place} of {named}, column {column!r}: {error}") from error
