"""Pages of lists: the part of a query that asks for one, and the envelope that holds it."""

from dataclasses import dataclass, field
from math import ceil
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, Field, JsonValue

from core.queries.lists import Listing, Sort

Item = TypeVar("Item")


class PageQuery(BaseModel):
    """Which page of a list, how long, and in which order."""

    page: Annotated[int, Field(ge=1, le=2**31)] = 1
    page_size: Annotated[int, Field(ge=1, le=1000)] = 10
    sort: Sort | None = None


class Pagination(BaseModel):
    """Where a page stands in its list."""

    page: int
    page_size: int
    current_page_size: int
    total_pages: int
    total_results: int


class Page(BaseModel, Generic[Item]):
    """One page of a list; past the end, `data` is empty."""

    object: Literal["list"] = "list"
    data: list[Item]
    pagination: Pagination
    sort: Sort
    filter: dict[str, JsonValue] = {}
    search: dict[str, JsonValue] = {}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a list, and how its answer repeats that."""

    listing: Listing
    filter: dict[str, JsonValue] = field(default_factory=dict)
    search: dict[str, JsonValue] = field(default_factory=dict)


def to_page(items: list[Item], total: int, asked: Asked) -> Page[Item]:
    """Put the items of the page that was asked for, of `total` in the list, into their envelope."""
    listing = asked.listing
    pagination = Pagination(
        page=listing.page,
        page_size=listing.page_size,
        current_page_size=len(items),
        total_pages=ceil(total / listing.page_size),
        total_results=total,
    )
    return Page(data=items, pagination=pagination, sort=listing.sort, filter=asked.filter, search=asked.search)
