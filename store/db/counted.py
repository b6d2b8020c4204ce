"""What was counted of the results of jobs that have ended, which is done once: their rows change no more."""

from typing import Final

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError

from store.db.connect import insert_into, reading, writing
from store.db.tables import job_counted
from store.results.statistics import Counted

COUNTED: Final = TypeAdapter(Counted)


class CountedResults:
    """The counts of a database. Each method is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def of_job(self, job_id: str) -> Counted | None:
        """Return what was counted of a job; None if nothing was, or not as this release counts."""
        with reading(self._engine) as connection:
            text = connection.scalar(sa.select(job_counted.c.counted).where(job_counted.c.job_id == job_id))
        try:
            return None if text is None else COUNTED.validate_json(text)
        except ValidationError:
            return None

    def keep(self, job_id: str, counted: Counted) -> None:
        """Keep what was counted of a job, in the place of what another release has."""
        values = {"job_id": job_id, "counted": COUNTED.dump_json(counted).decode()}
        with writing(self._engine) as connection:
            upsert = insert_into(connection, job_counted).values(values)
            connection.execute(upsert.on_conflict_do_update(index_elements=["job_id"], set_=values))
