"""The grammar of lists: `filter[…]`, `search[…]`, `sort`, `page` and `page_size` in a query string.

A face says in a `Grammar` what each of its lists can be asked; here a query is read by it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, NamedTuple, assert_never

from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import JsonValue

from api.lists.pages import Asked, PageQuery
from api.lists.times import Moments, Operator, moments
from core.queries.lists import Contains, Listing, OneOf, Sort, Term, Within

PARAMETER: Final = re.compile(r"(filter|search)((?:\[[^\[\]]+\])+)")
MOST_TERMS: Final = 50
MOST_TEXTS: Final = 200
"""What a list may be asked at a time; a database takes no expressions of any length."""

UNSAFE_KEY: Final = re.compile(r'["\\\x00-\x1f]')
ONE_VALUE: Final = "filter takes one value; use search for several"

REPLACEMENTS: Final[Mapping[str, str]] = {"gt": "use gte", "lt": "use lte"}
"""What to write in place of an operator that a list does not have."""


@dataclass(frozen=True, slots=True)
class Exact:
    """A text; where it may hold commas, they do not part several values."""

    field: str
    commas: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """One of a few words, each of which stands for values of the field; `hints` are for words of other lists."""

    field: str
    words: Mapping[str, tuple[str, ...]]
    hints: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Time:
    """A time, compared by one of the operators; by itself it is `eq`, where the list has that."""

    field: str
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class Keyed:
    """An object, by the value of one of its keys."""

    field: str


@dataclass(frozen=True, slots=True)
class Named:
    """Another entity, as `namespace/name` or by its parts."""

    field: str
    parts: Mapping[str, "Filter"]


Filter = Exact | Word | Time | Keyed | Named


@dataclass(frozen=True, slots=True)
class Text:
    """A text of which a part is given; one in an object can be told by the keys that lead to it."""

    field: str
    deep: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A time, between `start` and `end`, both inclusive."""

    field: str


Search = Text | Word | Span


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a list can be asked. A search by other fields than these is left alone if `lenient`, else refused."""

    filters: Mapping[str, Filter]
    searches: Mapping[str, Search]
    sort: Sort
    lenient: bool


class Read(NamedTuple):
    """What one parameter means, and how it is repeated: a value under a path."""

    term: Term
    path: Sequence[str]
    shown: JsonValue


def asking(grammar: Grammar) -> Callable[[Request, PageQuery], Asked]:
    """Return a dependency that reads a request's query."""

    def asked(request: Request, query: Annotated[PageQuery, Query()]) -> Asked:
        return read_query(grammar, query, request.query_params.multi_items())

    return asked


def read_query(grammar: Grammar, query: PageQuery, items: Iterable[tuple[str, str]]) -> Asked:
    """Return what a query asks of a list.

    Raises RequestValidationError, which says what to write instead, for what the list cannot be asked.
    """
    given: dict[str, list[str]] = {}
    for key, value in items:
        given.setdefault(key, []).append(value)
    terms: list[Term] = []
    refusals: list[dict[str, object]] = []
    echo: dict[str, dict[str, JsonValue]] = {"filter": {}, "search": {}}
    for key, values in asked_of(given).items():
        try:
            kind, read = _read(grammar, key, values)
            if read is not None:
                _put(echo[kind], read.path, read.shown)
                terms.append(read.term)
        except ValueError as error:
            refusals.append({"loc": ("query", key), "msg": str(error), "type": "value_error"})
    if refusals:
        raise RequestValidationError(refusals)
    listing = Listing(tuple(terms), query.sort or grammar.sort, query.page, query.page_size)
    return Asked(listing, **echo)


def is_asked(key: str) -> bool:
    """Tell whether a parameter is to be a filter or a search."""
    return key.startswith(("filter", "search"))


def asked_of(given: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the filters and searches of a query. Raises RequestValidationError for more than a list is asked."""
    asked = {key: values for key, values in given.items() if is_asked(key)}
    values = sum(1 + text.count(",") for texts in asked.values() for text in texts)
    if len(asked) > MOST_TERMS or values > MOST_TEXTS:
        message = f"at most {MOST_TERMS} filters and searches, of {MOST_TEXTS} values in all"
        raise RequestValidationError([{"loc": ("query",), "msg": message, "type": "value_error"}])
    return asked


def _read(grammar: Grammar, key: str, values: list[str]) -> tuple[str, Read | None]:
    match = PARAMETER.fullmatch(key)
    if match is None:
        raise ValueError("write filter[FIELD]=VALUE or search[FIELD]=TEXT")
    kind, brackets = match.groups()
    path = brackets[1:-1].split("][")
    if any("\x00" in text for text in values) or any(map(UNSAFE_KEY.search, path)):
        raise ValueError("quotes, backslashes and control characters cannot stand in a key, nor NUL in a value")
    if kind == "search":
        return kind, _search(grammar, path, values)
    if len(values) > 1:
        raise ValueError(ONE_VALUE)
    if not values[0]:
        raise ValueError("the value is empty; leave the filter out, or give it a value")
    return kind, _filter(grammar.filters, path, values[0])


def _filter(filters: Mapping[str, Filter], path: Sequence[str], value: str, above: tuple[str, ...] = ()) -> Read:
    name, *rest = path
    known = filters.get(name)
    if known is None:
        raise ValueError(f"cannot filter by {name!r}; filter by one of: {', '.join(filters)}")
    if isinstance(known, Named) and rest:
        return _filter(known.parts, rest, value, (*above, known.field))
    return _compare(known, (*above, name), rest, value)


def _compare(known: Filter, path: tuple[str, ...], rest: Sequence[str], value: str) -> Read:
    *above, name = path
    here = (*above, known.field)
    match known, rest:
        case Exact(commas=commas), []:
            return Read(OneOf(here, (value if commas else _single(value),)), path, value)
        case Word(), []:
            return Read(OneOf(here, _meant(known, _single(value))), path, value)
        case Time(operators=operators), _:
            operator = _operator(name, rest, operators)
            return _within(here, moments(operator, value), (*path, operator))
        case Keyed(), [key]:
            return Read(OneOf((*here, key), (value,)), (*path, key), value)
        case Named(), []:
            return Read(OneOf(here, (_label(name, _single(value)),)), path, value)
    remedy = f"filter[{name}][KEY]=VALUE" if isinstance(known, Keyed) else f"filter[{name}]=VALUE"
    raise ValueError(f"write {remedy}")


def _search(grammar: Grammar, path: Sequence[str], values: list[str]) -> Read | None:
    name, *rest = path
    known = grammar.searches.get(name)
    if known is None:
        if grammar.lenient:
            return None
        raise ValueError(f"cannot search by {name!r}; search by one of: {', '.join(grammar.searches)}")
    if isinstance(known, Span):
        return _span(known, path, values)
    if rest and not (isinstance(known, Text) and known.deep):
        raise ValueError(f"{name!r} has no parts; write search[{name}]=TEXT")
    texts = tuple(text.strip() for value in values for text in value.split(",") if text.strip())
    if not texts:
        return None
    match known:
        case Text(field=found):
            return Read(Contains((found, *rest), texts), path, list(texts))
        case Word(field=found, words=words):
            meant = (words[word] for word in words if any(text.lower() in word for text in texts))
            return Read(OneOf((found,), tuple(value for each in meant for value in each)), path, list(texts))
    assert_never(known)


def _span(known: Span, path: Sequence[str], values: list[str]) -> Read:
    match path, values:
        case [_, "start"], [value]:
            return _within((known.field,), moments("gte", value), path)
        case [_, "end"], [value]:
            return _within((known.field,), moments("lte", value), path)
    raise ValueError(f"write search[{path[0]}][start]=TIME and search[{path[0]}][end]=TIME, each once")


def _within(here: tuple[str, ...], found: Moments, path: Sequence[str]) -> Read:
    return Read(Within(here, found.start, found.stop, found.outside), path, found.shown)


def _single(value: str) -> str:
    if "," in value:
        raise ValueError(ONE_VALUE)
    return value


def _meant(known: Word, value: str) -> tuple[str, ...]:
    if value in known.words:
        return known.words[value]
    if value in known.hints:
        raise ValueError(f"{value!r} is no {known.field} of this version; use {known.hints[value]}")
    raise ValueError(f"{value!r} is no {known.field}; use one of: {', '.join(known.words)}")


def _operator(name: str, rest: Sequence[str], operators: Sequence[Operator]) -> Operator:
    asked = rest[0] if rest else "eq"
    for operator in operators:
        if [operator] == [asked, *rest[1:]]:
            return operator
    remedy = REPLACEMENTS.get(asked, f"use one of: {', '.join(operators)}")
    raise ValueError(f"{name!r} cannot be compared by {asked!r}; {remedy}, as in filter[{name}][gte]=2025-03-18")


def _label(name: str, value: str) -> str:
    if value.count("/") != 1:
        raise ValueError(f"write filter[{name}]=NAMESPACE/NAME, or filter[{name}][name]=NAME")
    return value


def _put(echo: dict[str, JsonValue], path: Sequence[str], shown: JsonValue) -> None:
    *way, last = path
    for key in way:
        inner = echo.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ValueError(f"{key!r} is given as a whole and by its parts; give one of them")
        echo = inner
    if last in echo:
        raise ValueError(f"{last!r} is given twice; give it once")
    echo[last] = shown
