"""A row that is a JSON text: read as leniently as files in the wild need, and within bounds."""

import json
import re
from math import isfinite
from typing import Any, Final

import orjson

from core.errors import DatasetUnreadable
from core.json_size import count_outside
from store.files.bounds import MAX_COLUMNS, MAX_DEPTH, MAX_VALUES
from store.files.values import json_text
from tasks.datasets.data_file import DataFile, Row

_MOST_DIGITS: Final = 20
_WINDOW: Final = 1 << 20
_MANY_DIGITS: Final = re.compile(rb"\d{19}")
_TOO_LONG: Final = object()
_SIGNS: Final = b",[{"
"""Before each value of an array or object, or of the next."""


def read_object(text: bytes, place: str, file: DataFile) -> Row:
    """Parse a row. Raises DatasetUnreadable naming the place if it is none, or too large."""
    where = file.at(place)
    file.bounds.refuse_row(where, len(text))
    refuse_many_values(text, where, MAX_VALUES)
    row = read_value(text, where, file)
    if not isinstance(row, dict):
        raise DatasetUnreadable(f"{where} is {kind_of(row)}, not an object")
    if len(row) > MAX_COLUMNS:
        raise DatasetUnreadable(f"{where} has {len(row):,} columns, of at most {MAX_COLUMNS:,}")
    return row


def refuse_many_values(text: bytes, where: str, most: int) -> None:
    """Raise DatasetUnreadable if a JSON text has so many values that they would be too much to hold."""
    if len(text) > most and sum(map(text.count, _SIGNS)) > most and count_outside(text, _SIGNS) > most:
        raise DatasetUnreadable(f"{where} has more than {most:,} values, and is too large to be held")


def read_value(text: bytes, where: str, file: DataFile) -> Any:
    """Parse a JSON text, with null for numbers that are none. Raises DatasetUnreadable naming `where`."""
    try:
        value = orjson.loads(text)
        if _has_many_digits(text):
            value = _lenient(text, where, file)  # which tells integers of more than 64 bits, instead of rounding
    except orjson.JSONDecodeError as error:
        value = _unless_broken(text, where, file, error)
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH and _is_deep(value):
        raise _deep(where)
    return value


def _has_many_digits(text: bytes) -> bool:
    """Tell whether a text has so many digits in a row; it is searched in windows, between which others get turns."""
    return any(_MANY_DIGITS.search(text, at, at + _WINDOW + _MOST_DIGITS) for at in range(0, len(text), _WINDOW))


def _unless_broken(text: bytes, where: str, file: DataFile, error: orjson.JSONDecodeError) -> Any:
    """Parse what a strict parser refuses, as NaN; raise `error` if it is broken indeed."""
    if "depth" in error.msg:
        raise _deep(where) from error
    try:
        return _lenient(text, where, file)
    except UnicodeDecodeError:
        raise file.refuse_encoding() from error
    except ValueError:
        raise DatasetUnreadable(f"{where} is not JSON: {error.msg} (column {error.colno})") from error


def _lenient(text: bytes, where: str, file: DataFile) -> Any:
    try:
        value = json.loads(text.decode(), parse_int=_integer)
    except RecursionError as error:
        raise _deep(where) from error
    if _is_deep(value):
        raise _deep(where)
    if isinstance(value, dict):
        return {name: _settled(member, name, where, file) for name, member in value.items()}
    return _settled(value, "", where, file)


def _settled(value: Any, column: str, where: str, file: DataFile) -> Any:
    """Return a value without what JSON cannot say. Raises ValueError for half of a surrogate pair."""
    match value:
        case dict():
            return {json_text(name): _settled(member, column, where, file) for name, member in value.items()}
        case list():
            return [_settled(item, column, where, file) for item in value]
        case str():
            return json_text(value)
        case float() if not isfinite(value):
            return file.findings.stand_in(value, column)
    if value is _TOO_LONG:
        raise DatasetUnreadable(f"{where} has a number of more than 64 bits in {column!r}; give it as text")
    return value


def _integer(digits: str) -> object:
    number = int(digits) if len(digits) <= _MOST_DIGITS else None
    return number if number is not None and -(2**63) <= number < 2**64 else _TOO_LONG


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        members = (part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list))
        level = [part for each in members for part in each]
        if not level:
            return False
    return True


def _deep(where: str) -> DatasetUnreadable:
    return DatasetUnreadable(f"{where} is nested deeper than {MAX_DEPTH} levels: depth limit exceeded")


def kind_of(value: object) -> str:
    """Return what a value of JSON is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "an array"
    return "an object"
