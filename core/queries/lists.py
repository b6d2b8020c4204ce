"""What is asked of a list: which items, in which order, and which page of them.

The vendors' query strings are read into these values, and the store turns them into SQL.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Sort = Literal["created_at", "-created_at", "updated_at", "-updated_at"]

Field = tuple[str, ...]
"""A field of an item, then the keys that lead to a part of its value."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field is exactly one of the values; without values nothing is."""

    field: Field
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """The time lies from `start` (inclusive) to `stop` (exclusive), or `outside` of that."""

    field: Field
    start: datetime | None = None
    stop: datetime | None = None
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Contains:
    """The field holds one of the texts as a part, in upper or lower case."""

    field: Field
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Begins:
    """The field begins with the text; it is a field of its own, and not a part of a value."""

    field: Field
    text: str


Term = OneOf | Within | Contains | Begins


@dataclass(frozen=True, slots=True)
class Listing:
    """The items that every term holds for, sorted, ties by id, and the page of them, counted from 1.

    The first `offset` items are on no page.
    """

    terms: tuple[Term, ...] = ()
    sort: Sort = "-created_at"
    page: int = 1
    page_size: int = 10
    offset: int = 0
