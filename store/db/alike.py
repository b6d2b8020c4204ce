"""Completed jobs that may be runs of the same, so far as their records tell."""

import sqlalchemy as sa

from store.db.tables import jobs

SOUGHT: int = 1000
"""So many of the last jobs of a face are looked at."""

MOST: int = 10


def find_alike(connection: sa.Connection, job_id: str) -> list[str]:
    """Return other completed jobs of the same face with the same target, config and model, the last first."""
    own = connection.execute(
        sa.select(jobs.c.face, jobs.c.target, jobs.c.config, jobs.c.model).where(jobs.c.id == job_id)
    ).one_or_none()
    if own is None:
        return []
    shown = (jobs.c.intent != "delete", ~jobs.c.ephemeral, jobs.c.status == "completed", jobs.c.face == own.face)
    last = sa.select(jobs.c.id).where(*shown).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(SOUGHT)
    same = (jobs.c[name].is_not_distinct_from(getattr(own, name)) for name in ("target", "config", "model"))
    found = sa.select(jobs.c.id).where(jobs.c.id.in_(last.scalar_subquery()), jobs.c.id != job_id, *same)
    return list(connection.scalars(found.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(MOST)))
