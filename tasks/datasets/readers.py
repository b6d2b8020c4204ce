"""Rows of CSV, JSON and JSONL files; what is wrong is named by file and line."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from math import inf, isinf
from pathlib import Path
from typing import Any, Final

import orjson

from core.errors import DatasetUnreadable
from core.spec import FileFormat
from store.files.parquet import read_parquet_rows

Row = dict[str, Any]

ENDINGS: Final[dict[str, FileFormat]] = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}

_BOM = b"\xef\xbb\xbf"
_SMALL = frozenset({str, int, bool, type(None)})
_MOST_DIGITS = 20
_MANY_DIGITS = re.compile(rb"\d{19}")

csv.field_size_limit(100_000_000)  # the default of 131,072 characters is less than a long document


def read_file(path: Path, file_format: FileFormat, named: str) -> Iterator[Row]:
    """Yield the rows of a file; raises DatasetUnreadable with the line, calling the file `named`."""
    try:
        yield from _READERS[file_format](path, named)
    except OSError as error:
        raise DatasetUnreadable(f"{named} cannot be read: {error.strerror or error}") from error


def read_csv(path: Path, named: str) -> Iterator[Row]:
    """Yield the rows of a CSV file with a header, all values as text; blank lines are skipped."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, None)
            if header is None:
                return
            _check_header(named, header)
            start = reader.line_num + 1
            for cells in reader:
                if cells:
                    yield _csv_row(named, start, header, cells)
                start = reader.line_num + 1
        except csv.Error as error:
            raise DatasetUnreadable(f"line {max(reader.line_num, 1)} of {named} is not CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise DatasetUnreadable(f"{named} is not UTF-8, after line {reader.line_num}: {error.reason}") from error


def _check_header(named: str, header: list[str]) -> None:
    if "" in header or len(set(header)) < len(header):
        columns = ", ".join(repr(name) for name in header)
        raise DatasetUnreadable(f"line 1 of {named}: columns need names, each once; they are {columns}")


def _csv_row(named: str, line: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        raise DatasetUnreadable(
            f"line {line} of {named} has {len(cells)} cells, but the header {len(header)}: {', '.join(header)}"
        )
    return dict(zip(header, cells, strict=True))


def read_json(path: Path, named: str) -> Iterator[Row]:
    """Yield the objects of a file that is one JSON array."""
    content = path.read_bytes().removeprefix(_BOM)
    if not content.strip():
        return
    try:
        rows = _loads(content)
    except orjson.JSONDecodeError as error:
        is_object = content.lstrip().startswith(b"{")
        hint = "; if it holds one object a line, its format is 'jsonl'" if is_object else ""
        raise DatasetUnreadable(f"line {error.lineno} of {named} is not JSON: {error.msg}{hint}") from error
    if not isinstance(rows, list):
        raise DatasetUnreadable(f"{named} is {_kind(rows)}, not an array of objects")
    for number, row in enumerate(rows, start=1):
        yield _object(f"element {number} of {named}", row)


def read_jsonl(path: Path, named: str) -> Iterator[Row]:
    """Yield the objects of a file that has one a line; blank lines are skipped."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            text = (line.removeprefix(_BOM) if number == 1 else line).strip()
            if not text:
                continue
            place = f"line {number} of {named}"
            try:
                row = _loads(text)
            except orjson.JSONDecodeError as error:
                raise DatasetUnreadable(f"{place} is not JSON: {error.msg} (column {error.colno})") from error
            yield _object(place, row)


def _loads(text: bytes) -> Any:
    """Parse JSON; an integer of more than 64 bits is infinite, instead of rounded."""
    value = orjson.loads(text)
    if not _MANY_DIGITS.search(text):
        return value
    try:
        return json.loads(text, parse_int=_integer)
    except RecursionError as error:
        raise orjson.JSONDecodeError("depth limit exceeded", "", 0) from error


def _integer(digits: str) -> float:
    number = int(digits) if len(digits) <= _MOST_DIGITS else inf
    return number if -(2**63) <= number < 2**64 else inf


def _object(place: str, row: object) -> Row:
    if not isinstance(row, dict):
        raise DatasetUnreadable(f"{place} is {_kind(row)}, not an object")
    for name, value in row.items():
        if value.__class__ not in _SMALL and _holds_infinity(value):
            raise DatasetUnreadable(f"{place} has a number of more than 64 bits in {name!r}")
    return row


def _holds_infinity(value: object) -> bool:
    stack = [value]
    while stack:
        match stack.pop():
            case dict() as members:
                stack.extend(members.values())
            case list() as items:
                stack.extend(items)
            case float() as number if isinf(number):
                return True
    return False


def _kind(value: object) -> str:
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


_READERS: dict[FileFormat, Callable[[Path, str], Iterator[Row]]] = {
    "csv": read_csv,
    "json": read_json,
    "jsonl": read_jsonl,
    "parquet": read_parquet_rows,
}
