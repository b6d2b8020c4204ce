"""Objects around the rows: the array under one of its keys, or columns beside each other."""

from collections.abc import Callable, Iterator
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

OF_ROWS: Final = frozenset({"function", "ground_truth", "messages", "tools"})
"""What arrays are called that a row itself has."""

VIEWER: Final = frozenset({"row_idx", "row", "truncated_cells"})
"""What the rows of Hugging Face's viewer have around them."""

_DEPTH: Final = 3
_SHOWN: Final = 5


def rows_within(document: Row, named: str, note: Callable[[str], object]) -> list[Row] | None:
    """Return the rows that an object holds, or None if it is a row itself.

    `note` is told of cells that are not whole. Raises DatasetUnreadable with the remedy if that cannot be told.
    """
    table = _split_table(document) or _columns(document)
    if table is not None:
        return table
    arrays, tables = list(_arrays(document)), _tables(document)
    found = [path for path in arrays if path in KEYS]
    if len(found) == 1:
        return _of_array(document[found[0]], found[0], named, note)
    if tables and len(document) == 1:
        return tables[0][1]
    if not found and not OF_ROWS.isdisjoint(arrays):
        return None
    _refuse_unclear(document, found or arrays or [key for key, _ in tables], named)
    return [] if any(document.get(key) == [] for key in KEYS) else None


def _refuse_unclear(document: Row, found: list[str], named: str) -> None:
    """Raise DatasetUnreadable if an object has something that may be its rows: arrays, columns or members."""
    shown = ", ".join(map(repr, found[:_SHOWN]))
    if found:
        raise DatasetUnreadable(
            f"{named} is one object, with arrays of objects under {shown}: save the one that has the rows alone, as an "
            "array or one object a line; if the object is itself a row, have it on one line and say the format jsonl"
        )
    if any(document.get(key) == [] for key in KEYS):
        return
    if len(document) > 1 and all(isinstance(member, dict) for member in document.values()):
        shown = ", ".join(map(repr, list(document)[:_SHOWN]))
        raise DatasetUnreadable(
            f"{named} is one object of objects ({shown}, …): save its members as an array of objects, or one a line"
        )


def _tables(document: Row) -> list[tuple[str, list[Row]]]:
    """Return what stands under the keys of rows and has columns beside each other."""
    members = ((key, member) for key in KEYS if isinstance(member := document.get(key), dict))
    return [(key, rows) for key, member in members if (rows := _columns(member)) is not None]


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


def _of_array(rows: list[Any], key: str, named: str, note: Callable[[str], object]) -> list[Row]:
    """Return rows without what the server of Hugging Face's viewer has around them, which cuts long cells."""
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise DatasetUnreadable(f"element {number} of {key!r} in {named} is no object")
    if not all(isinstance(row.get("row"), dict) and row.keys() <= VIEWER for row in rows):
        return rows
    if cut := sorted({str(name) for row in rows for name in row.get("truncated_cells") or ()}):
        note(
            f"the viewer that it is of has cut cells of {', '.join(map(repr, cut))}: fetch the file of the data itself"
        )
    return [row["row"] for row in rows]
