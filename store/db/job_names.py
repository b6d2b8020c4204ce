"""The jobs that could be meant by what people call one."""

import sqlalchemy as sa

from core.queries.job_names import MOST_TOLD, Called
from store.db.tables import jobs

CALLED = (jobs.c.id, jobs.c.name, jobs.c.status)


def called(connection: sa.Connection, named: str) -> list[Called]:
    """Return the job of that id, those of that name, the last completed first, and the first that begin so."""
    shown = (jobs.c.intent != "delete", ~jobs.c.ephemeral)
    own = sa.select(*CALLED).where(jobs.c.id == named, jobs.c.intent != "delete")
    completed = (jobs.c.status == "completed").desc()
    of_name = sa.select(*CALLED).where(jobs.c.name == named, *shown)
    of_name = of_name.order_by(completed, jobs.c.finished_at.desc(), jobs.c.id.desc()).limit(MOST_TOLD + 1)
    # The ids are found by their index alone. Not LIKE, for which SQLite takes `A` and `a` for one.
    begins = sa.select(jobs.c.id).where(sa.func.substr(jobs.c.id, 1, len(named)) == named)
    starting = sa.select(*CALLED).where(jobs.c.id.in_(begins), *shown).order_by(jobs.c.id).limit(MOST_TOLD + 1)
    for statement in (own, of_name, starting):
        if found := [Called(*row) for row in connection.execute(statement)]:
            return found
    return []
