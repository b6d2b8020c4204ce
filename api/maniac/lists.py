"""What lists are asked for, and how what they hold is found."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from api.http.state import State
from core.errors import NotFound
from core.queries.lists import Listing, OneOf, Sort, Term
from store.db.entities import Entities, Entity

PROJECT: Final = "default"
"""The one project there is."""


def part(limit: int, offset: int, *terms: Term, sort: Sort = "-created_at") -> Listing:
    """Return the part of a list that is asked for, the newest first unless asked otherwise."""
    return Listing(terms, sort, page_size=limit, offset=offset)


def in_container(state: State, field: str, reference: str | None) -> tuple[Term, ...]:
    """Return what narrows a list to a container, whose id is in `field`; there is nothing in an unknown one."""
    if reference is None:
        return ()
    with suppress(NotFound):  # then nothing has it
        reference = state.containers.find(reference).id
    return (OneOf((field,), (reference,)),)


def find_container(state: State, reference: str) -> Entity:
    """Return a container by its id or label. Raises NotFound, which names it."""
    return _find(state.containers, "Container", reference)


def find_evaluator(state: State, reference: str) -> Entity:
    """Return an evaluator by its id or name. Raises NotFound, which names it."""
    return _find(state.evaluators, "Evaluator", reference)


def to_time(moment: datetime) -> str:
    """Return a time as it goes over the wire."""
    return moment.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")


def _find(entities: Entities, kind: str, reference: str) -> Entity:
    try:
        return entities.find(reference)
    except NotFound:
        raise NotFound(f"{kind} {reference!r} not found") from None
