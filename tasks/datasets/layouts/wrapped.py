"""Objects around the rows: the array under one of its keys, or columns beside each other."""

from collections.abc import Iterator
from typing import Any, Final

from core.errors import DatasetUnreadable

Row = dict[str, Any]

KEYS: Final = (
    "data",
    "dataset",
    "dev",
    "entries",
    "examples",
    "instances",
    "items",
    "problems",
    "questions",
    "records",
    "rows",
    "samples",
    "test",
    "train",
    "validation",
)
"""What public files call the array of their rows."""

_DEPTH: Final = 3
_SHOWN: Final = 5


def rows_within(document: Row, named: str) -> list[Row] | None:
    """Return the rows that an object holds, or None if it is a row itself.

    Raises DatasetUnreadable with the remedy if that cannot be told.
    """
    if (table := _split_table(document)) is not None:
        return table
    if (columns := _columns(document)) is not None:
        return columns
    arrays = [path for path in _arrays(document) if path in KEYS]
    if len(arrays) == 1:
        return [_row(row, number, arrays[0], named) for number, row in enumerate(document[arrays[0]], start=1)]
    found = arrays or list(_arrays(document))
    if found:
        shown = ", ".join(repr(path) for path in found[:_SHOWN])
        raise DatasetUnreadable(
            f"{named} is one object, with arrays of objects under {shown}: save the one that has the rows alone, as an "
            "array or one object a line; if the object is itself a row, say the format jsonl"
        )
    if any(document.get(key) == [] for key in KEYS):
        return []
    if len(document) > 1 and all(isinstance(member, dict) for member in document.values()):
        shown = ", ".join(repr(name) for name in list(document)[:_SHOWN])
        raise DatasetUnreadable(
            f"{named} is one object of objects ({shown}, …): save its members as an array of objects, or one a line"
        )
    return None


def _arrays(value: Any, prefix: str = "", depth: int = _DEPTH) -> Iterator[str]:
    """Yield where arrays of objects are within an object."""
    if not isinstance(value, dict) or not depth:
        return
    for name, member in value.items():
        if isinstance(member, list) and any(isinstance(item, dict) for item in member):
            yield prefix + name
        else:
            yield from _arrays(member, f"{prefix}{name}.", depth - 1)


def _split_table(document: Row) -> list[Row] | None:
    """Return the rows of what pandas writes with the orient "split"."""
    match document:
        case {"columns": [*names], "data": [*rows]} if all(isinstance(row, list) for row in rows):
            if all(len(row) == len(names) for row in rows):
                return [{str(name): cell for name, cell in zip(names, row, strict=True)} for row in rows]
    return None


def _columns(document: Row) -> list[Row] | None:
    """Return the rows of columns that are lists of one length, or objects by the number of the row (pandas)."""
    columns = list(document.values())
    if columns and all(isinstance(column, dict) and column for column in columns):
        numbers = list(columns[0])
        if numbers != [str(number) for number in range(len(numbers))] or any(list(each) != numbers for each in columns):
            return None
        columns = [list(column.values()) for column in columns]
    elif not all(isinstance(column, list) and column for column in columns):
        return None
    if len({len(column) for column in columns}) != 1 or all(isinstance(column[0], dict) for column in columns):
        return None
    return [dict(zip(document, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _row(row: Any, number: int, key: str, named: str) -> Row:
    """Return a row, without what the server of Hugging Face's viewer has around it."""
    match row:
        case {"row_idx": _, "row": dict() as inner}:
            return inner
        case dict():
            return row
    raise DatasetUnreadable(f"element {number} of {key!r} in {named} is no object")
