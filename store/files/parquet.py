"""Rows of users' Parquet files as JSON values."""

import datetime
from collections.abc import Iterator
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue

from core.errors import DatasetUnreadable

_BATCH = 1_000


def read_parquet_rows(path: Path, named: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file as JSON values, dates as ISO text.

    Raises DatasetUnreadable if it is no whole Parquet file, or naming row and column of what JSON
    cannot say; the file is called `named`.
    """
    try:
        with pq.ParquetFile(path) as file:
            _refuse_duplicates(named, file.schema_arrow.names)
            number = 0
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield {name: _cell(named, number, name, value) for name, value in row.items()}
    except (pa.ArrowException, OSError) as error:
        raise DatasetUnreadable(f"{named} is not a readable Parquet file: {error}") from error


def json_value(value: object) -> JsonValue:
    """Return `value` as JSON says it; raises ValueError with the reason if it cannot."""
    match value:
        case None | bool():
            return value
        case str():
            return _text(value)
        case int() | float() | Decimal():
            return _number(value)
        case datetime.date() | datetime.time():
            return value.isoformat()
        case dict():
            return {_text(str(name)): json_value(member) for name, member in value.items()}
        case list() | tuple():
            return [json_value(item) for item in value]
    raise ValueError(f"a value of type {type(value).__name__} is not JSON")


def _text(value: str) -> str:
    if not value.isascii():
        value.encode()  # UnicodeEncodeError is a ValueError: half of a surrogate pair has no place in UTF-8
    return value


def _number(value: float | Decimal) -> float:
    if isinstance(value, Decimal):
        value = int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError(f"{value} is not a JSON number")
    elif not -(2**63) <= value < 2**64:
        raise ValueError("a number has more than 64 bits")
    return value


def _refuse_duplicates(named: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise DatasetUnreadable(f"{named} has columns of the same name: {', '.join(sorted(names))}")


def _cell(named: str, row: int, column: str, value: object) -> JsonValue:
    try:
        return json_value(value)
    except (ValueError, RecursionError) as error:
        raise DatasetUnreadable(f"row {row} of {named}, column {column!r}: {error}") from error
