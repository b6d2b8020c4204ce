"""Pages of a table: what is asked of a list, as SQL for both databases."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from core.queries.lists import Begins, Contains, Field, Listing, OneOf, Term, Within

Condition = sa.ColumnElement[bool]
Text = sa.ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a field is kept: in columns, in the part of a JSON column that `path` leads to, or in both."""

    columns: tuple[Text, ...] = ()
    document: sa.Column[Any] | None = None
    path: Field = ()


Places = Mapping[Field, Kept]
"""Where the fields of a list's items are kept."""


def page_of(
    connection: sa.Connection,
    table: sa.Table,
    places: Places,
    listing: Listing,
    shown: Iterable[Condition] = (),
    *,
    columns: Collection[sa.Column[Any]] | None = None,
) -> tuple[list[sa.Row[Any]], int]:
    """Return the rows of the page that is asked for, whole or some columns, and how many there are on all its pages.

    Only what is `shown` is in the list. Raises KeyError for a field that has no place.
    """
    conditions = [*shown, *(_condition(term, _place(places, term.field)) for term in listing.terms)]
    order: list[sa.ColumnElement[Any]] = [table.c[listing.sort.removeprefix("-")], table.c.id]
    if listing.sort.startswith("-"):
        order = [column.desc() for column in order]
    skipped = listing.offset + (listing.page - 1) * listing.page_size
    # The ids first: an index alone tells them, where it holds all that is asked; rows are long.
    ids = sa.select(table.c.id).where(*conditions).order_by(*order).limit(listing.page_size).offset(skipped)
    count = sa.select(sa.func.count()).select_from(table).where(*conditions)
    shown_rows = sa.select(*(columns or table.c)).order_by(*order)
    if any(isinstance(term, Contains) for term in listing.terms):  # all rows are looked through, and only once
        found = connection.execute(ids.add_columns(sa.func.count().over())).all()
        total = found[0][1] if found else connection.scalar(count) if skipped else 0
        return list(connection.execute(shown_rows.where(table.c.id.in_([row.id for row in found])))), total or 0
    rows = connection.execute(shown_rows.where(table.c.id.in_(ids)))
    return list(rows), connection.scalar(count) or 0


def columns_of(table: sa.Table, *names: str) -> dict[Field, Kept]:
    """Return the places of fields that have a column of their own; those of JSON can be asked for parts."""
    return {(name,): _column(table.c[name]) for name in names}


class position(FunctionElement[int]):  # noqa: N801 - it reads as the SQL function that it is
    """The place of a text in another, counted from 1; 0 if it is not in it."""

    type = sa.Integer()
    inherit_cache = True


class folded(FunctionElement[str]):  # noqa: N801 - it reads as the SQL function that it is
    """A text in lower case, that of all alphabets."""

    type = sa.Text()
    inherit_cache = True


class part(FunctionElement[str]):  # noqa: N801 - it reads as the SQL function that it is
    """The JSON text of what a path leads to in a JSON text: its path for SQLite, then for Postgres."""

    type = sa.Text()
    inherit_cache = True


def part_of(column: sa.Column[Any], *path: str) -> Text:
    """Return the JSON text of what a path leads to in a JSON column."""
    return _part(Kept(document=column, path=path))


def _column(column: sa.Column[Any]) -> Kept:
    is_json = not isinstance(column.type, sa.Text | sa.DateTime)
    return Kept(document=column) if is_json else Kept(columns=(column,))


def _place(places: Places, field: Field) -> Kept:
    if field in places:
        return places[field]
    found = places[field[:1]]
    if found.document is None:
        raise KeyError(field)
    return Kept(document=found.document, path=(*found.path, *field[1:]))


def _condition(term: Term, place: Kept) -> Condition:
    match term:
        case OneOf(values=values):
            return _is_one_of(values, place)
        case Within():
            return _is_within(term, place)
        case Contains(texts=texts):
            return sa.or_(sa.false(), *(_contains(text, place) for text in texts))
        case Begins(text=text):
            return sa.or_(sa.false(), *(sa.func.substr(column, 1, len(text)) == text for column in place.columns))
    assert_never(term)


def _is_one_of(values: tuple[str, ...], place: Kept) -> Condition:
    if place.columns:
        return sa.or_(*(_equals(column, values) for column in place.columns))
    forms = {form for value in values for form in (json.dumps(value), value)}
    return _part(place).in_(sorted(forms))


def _equals(column: Text, values: tuple[str, ...]) -> Condition:
    # SQLite takes a page in order from an index for `=`, not for IN.
    return column == values[0] if len(values) == 1 else column.in_(values)


def _is_within(term: Within, place: Kept) -> Condition:
    time: sa.ColumnElement[Any] = place.columns[0] if place.columns else _part(place)
    start, stop = (
        bound if place.columns or bound is None else json.dumps(bound.isoformat(timespec="microseconds"))
        for bound in (term.start, term.stop)
    )
    bounds = [*([time >= start] if start is not None else []), *([time < stop] if stop is not None else [])]
    inside = sa.and_(sa.true(), *bounds)
    return sa.not_(inside) if term.outside else inside


def _contains(text: str, place: Kept) -> Condition:
    found = [_has(column, text) for column in place.columns]
    if place.document is not None:
        found += [_has(_part(place), form) for form in sorted(_written(text))]
    return sa.or_(*found)


def _has(whole: Text, text: str) -> Condition:
    # No LIKE: its wildcards are text here. SQLite's own lower(), which is fast, knows ASCII alone.
    fold: Any = sa.func.lower if text.isascii() else folded
    return position(fold(whole), fold(sa.literal(text))) > 0


def _written(text: str) -> set[str]:
    """Return the forms that a text may have in JSON, where all but ASCII is escaped and so has no case."""
    cases = (text, text.lower(), text.upper(), text.capitalize())
    return {text.lower(), *(json.dumps(each)[1:-1].lower() for each in cases)}


def _part(place: Kept) -> Text:
    document = sa.type_coerce(place.document, sa.Text())
    if not place.path:
        return document
    return part(
        document,
        sa.literal("$" + "".join(f".{json.dumps(key)}" for key in place.path)),
        sa.literal("{" + ",".join(json.dumps(key, ensure_ascii=False) for key in place.path) + "}"),
    )


def _arguments(element: FunctionElement[Any], compiler: SQLCompiler, **options: Any) -> list[str]:
    return [compiler.process(each, **options) for each in element.clauses]


@compiles(position, "sqlite")
def _position_sqlite(element: position, compiler: SQLCompiler, **options: Any) -> str:
    return "instr({}, {})".format(*_arguments(element, compiler, **options))


@compiles(position, "postgresql")
def _position_postgres(element: position, compiler: SQLCompiler, **options: Any) -> str:
    return "strpos({}, {})".format(*_arguments(element, compiler, **options))


@compiles(folded, "sqlite")
def _folded_sqlite(element: folded, compiler: SQLCompiler, **options: Any) -> str:
    return "folded({})".format(*_arguments(element, compiler, **options))


@compiles(folded, "postgresql")
def _folded_postgres(element: folded, compiler: SQLCompiler, **options: Any) -> str:
    return "lower({})".format(*_arguments(element, compiler, **options))


@compiles(part, "sqlite")
def _part_sqlite(element: part, compiler: SQLCompiler, **options: Any) -> str:
    document, path = list(element.clauses)[:2]
    return f"({compiler.process(document, **options)} -> {compiler.process(path, **options)})"


@compiles(part, "postgresql")
def _part_postgres(element: part, compiler: SQLCompiler, **options: Any) -> str:
    document, _, path = list(element.clauses)
    # An escaped NUL is valid JSON, which Postgres cannot read.
    text = f"replace({compiler.process(document, **options)}, '\\u0000', '\\ufffd')"
    return f"(({text})::json #> CAST({compiler.process(path, **options)} AS text[]))::text"
