"""The columns of a kind of result file in all its versions, taken from the class whose objects are its rows.

Types are never inferred from values. What one may filter by is a typed column; a value of unknown shape is JSON text.
A version only adds columns: an older file is read with nulls in those it lacks.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from types import UnionType
from typing import Any, Final, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints, is_typeddict

import pyarrow as pa

from core.result import SINCE

GROUP_BYTES: Final = 4_000_000
"""What the texts of a row group may have together, unless it is a single row: it is read and written at once."""

ROW_BYTES: Final = 200
"""About what a row takes besides its texts."""

VERSION_KEY: Final = b"assay.schema_version"

TEXT: Final = pa.string()
INT: Final = pa.int64()
TIME: Final = pa.timestamp("us", tz="UTC")
TYPES: Final[dict[object, pa.DataType]] = {
    str: TEXT,
    int: INT,
    float: pa.float64(),
    bool: pa.bool_(),
    dict: TEXT,
    list: TEXT,
    Literal: TEXT,
}
NAMES: Final = {"ordinal": "pass"}
"""The fields whose columns are called otherwise."""

Form = Literal["plain", "json", "unix"]
"""How a value is kept: as it is, as JSON text, or Unix time as a time."""


class Column(NamedTuple):
    """A column, the version that has it first, and the path of its values in a row's object."""

    name: str
    type: pa.DataType
    since: int = 1
    path: str = ""
    form: Form = "plain"

    def array(self, values: Sequence[Any]) -> pa.Array:
        """Return the column's values as they are kept. Raises UnicodeEncodeError for a lone surrogate."""
        match self.form:
            case "json":
                values = [None if value is None else json.dumps(value, separators=(",", ":")) for value in values]
            case "unix":
                values = [None if value is None else round(value * 1e6) for value in values]
        return pa.array(values, self.type)

    def values(self, kept: pa.ChunkedArray) -> list[Any]:
        """Return the values that were kept."""
        match self.form:
            case "json":
                return [None if text is None else json.loads(text) for text in kept.to_pylist()]
            case "unix":
                return [None if time is None else time / 1e6 for time in kept.cast(INT).to_pylist()]
        return list(kept.to_pylist())


@dataclass(frozen=True, eq=False)
class Schema:
    """The columns of a kind of file; its version is that of its youngest column."""

    kind: str
    columns: tuple[Column, ...]

    @cached_property
    def version(self) -> int:
        """The version that is written."""
        return max(column.since for column in self.columns)

    @cached_property
    def arrow(self) -> pa.Schema:
        """The columns that are written."""
        return self.at(self.version)

    def at(self, version: int) -> pa.Schema:
        """Return the columns of a version."""
        columns = [(column.name, column.type) for column in self.columns if column.since <= version]
        return pa.schema(columns, metadata={VERSION_KEY: str(version).encode()})

    def table(self, rows: Iterable[Sequence[Any]]) -> pa.Table:
        """Return rows as a table; text that is no UTF-8 is mended."""
        values = list(zip(*rows, strict=True)) or [()] * len(self.columns)
        arrays = [_array(column, each) for column, each in zip(self.columns, values, strict=True)]
        return pa.Table.from_arrays(arrays, schema=self.arrow)

    def tables(self, rows: Iterable[Sequence[Any]]) -> Iterator[pa.Table]:
        """Yield rows in tables that are small enough to be held, at least one, of rows that are asked for only then."""
        block: list[Sequence[Any]] = []
        size = 0
        for row in rows:
            taken = ROW_BYTES + sum(len(value) for value in row if isinstance(value, str))
            if block and size + taken > GROUP_BYTES:
                yield self.table(block)
                block, size = [], 0
            block.append(row)
            size += taken
        yield self.table(block)

    def rows(self, table: pa.Table) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a table that has all columns."""
        return zip(*(column.values(table[column.name]) for column in self.columns), strict=True)

    def filled(self, table: pa.Table, names: Sequence[str] | None = None) -> pa.Table:
        """Return the columns of an older table, all that there are or some, with nulls in those that it lacks."""
        wanted = [column for column in self.columns if names is None or column.name in names]
        for column in wanted:
            if column.name not in table.column_names:
                table = table.append_column(column.name, pa.nulls(len(table), column.type))
        return table.select([column.name for column in wanted])


def columns_of(kind: type, at: str = "") -> Iterator[Column]:
    """Yield the columns that objects of a class have as rows, those of nested objects in their place."""
    versions = {field.name: field.metadata.get(SINCE, 1) for field in fields(kind)} if is_dataclass(kind) else {}
    for name, hint in get_type_hints(kind).items():
        if is_dataclass(hint) or hasattr(hint, "_fields"):
            yield from columns_of(hint, f"{at}{name}.")
        else:
            yield _column(name, hint, versions.get(name, 1), at + name)


def well_formed(value: Any) -> Any:
    """Replace a text's lone surrogates, which UTF-8 cannot hold, by U+FFFD; leave other values alone."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _column(name: str, hint: Any, since: int, path: str) -> Column:
    if get_origin(hint) in (UnionType, Union):
        (hint,) = (each for each in get_args(hint) if each is not type(None))
    kind = dict if is_typeddict(hint) else get_origin(hint) or hint
    if (name, kind) == ("started_at", float):
        return Column(name, TIME, since, path, "unix")
    return Column(NAMES.get(name, name), TYPES[kind], since, path, "json" if kind in (dict, list) else "plain")


def _array(column: Column, values: Sequence[Any]) -> pa.Array:
    try:
        return column.array(values)
    except UnicodeEncodeError:
        return column.array([well_formed(value) for value in values])
