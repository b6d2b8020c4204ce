"""Which job is meant by what people call it: its id, what no other id begins with, or its name."""

from typing import Final

import sqlalchemy as sa

from core.errors import Conflict, InvalidInput, NotFound
from store.db.tables import jobs

MOST_TOLD: Final = 5
"""So many jobs are named of those that could be meant."""


def find_id(connection: sa.Connection, named: str) -> str:
    """Return the id of the job that is called so: by its id, as the last completed of its name, or by its id's start.

    Raises NotFound, for a deleted job too, Conflict for a name of which no job is completed, and InvalidInput for the
    start of several ids.
    """
    shown = (jobs.c.intent != "delete", ~jobs.c.ephemeral)
    own = sa.select(jobs.c.id).where(jobs.c.id == named, jobs.c.intent != "delete")
    if (found := connection.scalar(own)) is not None:
        return str(found)
    completed = (jobs.c.status == "completed").desc()
    of_name = sa.select(jobs.c.id, jobs.c.status).where(jobs.c.name == named, *shown)
    last = connection.execute(
        of_name.order_by(completed, jobs.c.finished_at.desc(), jobs.c.id.desc()).limit(1)
    ).one_or_none()
    if last is None:
        return _by_start(connection, named, shown)
    if last.status != "completed":
        raise Conflict(f"no job named {named!r} is completed; name one by its id: {last.id} is {last.status}")
    return str(last.id)


def _by_start(connection: sa.Connection, named: str, shown: tuple[sa.ColumnElement[bool], ...]) -> str:
    # The ids are found by their index alone. Not LIKE, for which SQLite takes `A` and `a` for one.
    starting = sa.select(jobs.c.id).where(sa.func.substr(jobs.c.id, 1, len(named)) == named)
    statement = sa.select(jobs.c.id).where(jobs.c.id.in_(starting), *shown).order_by(jobs.c.id)
    found = connection.scalars(statement.limit(MOST_TOLD + 1)).all() if named else []
    if not found:
        raise NotFound(f"no job has the id or the name {named!r}, or an id that begins so")
    if len(found) > 1:
        told = ", ".join([*found[:MOST_TOLD], *["…"] * (len(found) > MOST_TOLD)])
        raise InvalidInput(f"the ids of several jobs begin with {named!r}: {told}")
    return str(found[0])
