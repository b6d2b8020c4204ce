"""What a page can be asked by its query: what else stands there is refused by name, whatever the page."""

from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from api.lists.grammar import is_asked
from api.native.lists import refusal

READING: Final = frozenset({"GET", "HEAD"})


def filters_of(request: Request) -> list[tuple[str, str]]:
    """Return the filters and searches of a query that say something."""
    return [(key, value) for key, value in request.query_params.multi_items() if value and is_asked(key)]


TAKES_FILTERS: Final = Depends(filters_of)
Filters = Annotated[list[tuple[str, str]], TAKES_FILTERS]
"""The filters and searches of a page that takes some."""


def _reads_itself() -> None:
    """Mark a page."""


READS_ITSELF: Final = Depends(_reads_itself)
"""Of a page that reads its query by itself, and refuses what it does not know."""


def check_query(request: Request) -> None:
    """Refuse a parameter that is none of the page's; raises RequestValidationError, which names it."""
    route: APIRoute = request.scope["route"]
    parts = route.dependant.dependencies
    calls = {each.call for each in parts}
    if request.method not in READING or _reads_itself in calls:
        return
    known = [each.alias for part in (route.dependant, *parts) for each in part.query_params]
    takes_filters = filters_of in calls
    for key in request.query_params:
        if key not in known and not (takes_filters and is_asked(key)):
            takes = [*known, *(("filter[FIELD]", "search[FIELD]") if takes_filters else ())]
            raise refusal(key, f"this page takes {', '.join(takes) if takes else 'no parameter'}, and not that")
