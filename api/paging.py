"""Pages of lists: the query that asks for one, and the envelope that holds it."""

from math import ceil
from typing import Annotated, Generic, Literal, TypeVar

from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, JsonValue

Item = TypeVar("Item")

Sort = Literal["created_at", "-created_at", "updated_at", "-updated_at"]


class PageQuery(BaseModel):
    """Which page of a list, how long, and in which order."""

    page: Annotated[int, Field(ge=1, le=2**31)] = 1
    page_size: Annotated[int, Field(ge=1, le=1000)] = 10
    sort: Sort = "-created_at"


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


def asked_page(query: Annotated[PageQuery, Query()], request: Request) -> PageQuery:
    """Return the page that is asked for.

    Query keys that would narrow the list are refused, rather than answered with a list that ignores them.
    """
    refused = [key for key in request.query_params if key.startswith(("filter[", "search["))]
    if refused:
        message = "This list can be paged and sorted, not filtered or searched"
        raise RequestValidationError(
            [{"loc": ("query", key), "msg": message, "type": "extra_forbidden"} for key in dict.fromkeys(refused)]
        )
    return query


AskedPage = Annotated[PageQuery, Depends(asked_page)]


def to_page(items: list[Item], total: int, query: PageQuery) -> Page[Item]:
    """Put the items of the page that `query` asked for, of `total` in the list, into their envelope."""
    pagination = Pagination(
        page=query.page,
        page_size=query.page_size,
        current_page_size=len(items),
        total_pages=ceil(total / query.page_size),
        total_results=total,
    )
    return Page(data=items, pagination=pagination, sort=query.sort)
