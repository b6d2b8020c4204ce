"""What models answered, with what they were asked: logged in containers, in the order in which it came."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import inf
from typing import Any, Final

import sqlalchemy as sa

from core.errors import NotFound
from core.job import utcnow
from core.queries.lists import Listing
from store.db.connect import reading, writing
from store.db.lists import columns_of, page_of
from store.db.tables import completions

JsonDict = dict[str, Any]

BLOCK_ROWS: Final = 200
"""So many are in memory while a log is read."""

TICK: Final = timedelta(microseconds=1)
PLACES: Final = columns_of(completions, "container", "model", "metadata")


@dataclass(frozen=True, slots=True)
class NewCompletion:
    """A chat request, and the answer to it."""

    input: JsonDict
    output: JsonDict
    model: str | None = None
    tags: list[str] | None = None
    metadata: JsonDict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion(NewCompletion):
    """A logged completion; `container` is the id of its container, with which it goes."""

    id: str
    container: str
    created_at: datetime


class Completions:
    """The completions of a database. Each method is one transaction, but for `logged`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, container: str, new: Sequence[NewCompletion]) -> list[Completion]:
        """Log completions in a container, all or none. Raises NotFound if it is gone.

        Each is a microsecond younger than the one before, so that they keep their order.
        """
        now = utcnow()
        added = [
            Completion(**asdict(each), id=str(uuid.uuid4()), container=container, created_at=now + n * TICK)
            for n, each in enumerate(new)
        ]
        with writing(self._engine) as connection:
            try:
                connection.execute(sa.insert(completions), [asdict(each) for each in added])
            except sa.exc.IntegrityError as error:
                raise NotFound("Container not found") from error
        return added

    def get(self, completion_id: str) -> Completion:
        """Return a completion. Raises NotFound."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(completions).where(completions.c.id == completion_id)).one_or_none()
        if row is None:
            raise NotFound("Completion not found")
        return Completion(**row._mapping)

    def page(self, listing: Listing) -> tuple[list[Completion], int]:
        """Return the page that is asked for, and how many completions are on all its pages."""
        with reading(self._engine) as connection:
            rows, total = page_of(connection, completions, PLACES, listing)
        return [Completion(**row._mapping) for row in rows], total

    def logged(
        self, container: str, start: int = 0, stop: int | None = None, *, block_rows: int = BLOCK_ROWS
    ) -> Iterator[Completion]:
        """Yield the completions of a container from the oldest, those from place `start` up to `stop`."""
        order = (completions.c.created_at, completions.c.id)
        wanted = sa.select(completions).where(completions.c.container == container).order_by(*order)
        block = wanted.offset(start)
        left = inf if stop is None else stop - start
        while left > 0:
            with reading(self._engine) as connection:
                rows = connection.execute(block.limit(int(min(left, block_rows)))).all()
            if not rows:
                return
            yield from (Completion(**row._mapping) for row in rows)
            left -= len(rows)
            block = wanted.where(sa.tuple_(*order) > sa.tuple_(rows[-1].created_at, rows[-1].id))
