"""What a monitor asks for: how jobs stand, and what was counted of calls since there are tables."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from core.counted import Counted
from core.job import JobStatus, utcnow
from store.db.connect import insert_into, reading, writing
from store.db.tables import call_counts, job_progress, jobs

MOST_MODELS: Final = 100
OTHERS: Final = "other"
"""What all models are called that came after so many: their names are strangers'."""

LONGEST_MODEL: Final = 200
ALIVE_S: Final = 15
"""An engine that has not reported for so long holds no job."""

KEY: Final = [column.name for column in call_counts.primary_key]


@dataclass(frozen=True, slots=True)
class Measured:
    """Jobs by status, since when the oldest waits, and how many engines of how many workers hold one."""

    jobs: Mapping[JobStatus, int]
    waiting_since: datetime | None
    engines: int
    workers: int
    counts: Mapping[Counted, float]


class Measures:
    """The measures of a database. Each method is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, added: Mapping[Counted, float]) -> None:
        """Add to what was counted; of so many models each is told apart, of all others none."""
        if not added:
            return
        with writing(self._engine) as connection:
            known = set(connection.scalars(sa.select(call_counts.c.model).distinct()))
            rows = Counter[Counted]()
            for count, number in added.items():
                rows[count._replace(model=_told_apart(count.model, known))] += number  # type: ignore[assignment]
            insert = insert_into(connection, call_counts)
            upsert = insert.on_conflict_do_update(
                index_elements=KEY, set_={"value": call_counts.c.value + insert.excluded.value}
            )
            # in one order, so that two who add do not wait for each other
            connection.execute(upsert, [{**count._asdict(), "value": rows[count]} for count in sorted(rows)])

    def read(self) -> Measured:
        """Return all of them, as they are now."""
        by_status = sa.select(jobs.c.status, sa.func.count()).where(jobs.c.intent != "delete").group_by(jobs.c.status)
        waits = jobs.c.status.in_(("created", "pending")), jobs.c.intent == "run"
        oldest = sa.select(sa.func.min(jobs.c.created_at)).where(*waits)
        alive = job_progress.c.heartbeat_at > utcnow() - timedelta(seconds=ALIVE_S)
        held = sa.select(sa.func.count(), sa.func.count(job_progress.c.worker.distinct())).where(
            alive, job_progress.c.results_ready_at.is_(None)
        )
        with reading(self._engine) as connection:
            engines, workers = connection.execute(held).one()
            return Measured(
                jobs={row.status: row[1] for row in connection.execute(by_status)},
                waiting_since=connection.scalar(oldest),
                engines=engines,
                workers=workers,
                counts={Counted(*row[:3]): row.value for row in connection.execute(sa.select(call_counts))},
            )


def _told_apart(model: str, known: set[str]) -> str:
    model = model[:LONGEST_MODEL].replace("\0", "")
    if model not in known and len(known) >= MOST_MODELS:
        return OTHERS
    known.add(model)
    return model
