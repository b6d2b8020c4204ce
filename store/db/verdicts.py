"""The verdicts of people on outputs, which go with the job."""

from dataclasses import asdict, fields

import sqlalchemy as sa

from core.verdict import Verdict
from store.db.connect import insert_into, reading, writing
from store.db.tables import verdicts

COLUMNS = [verdicts.c[field.name] for field in fields(Verdict)]
KEY = [column.name for column in verdicts.primary_key]


class Verdicts:
    """The verdicts of a database, one for each metric of an output. Each method is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def put(self, verdict: Verdict) -> None:
        """Keep a verdict, in the place of an earlier one on the same."""
        values = asdict(verdict)
        with writing(self._engine) as connection:
            upsert = insert_into(connection, verdicts).values(values)
            connection.execute(upsert.on_conflict_do_update(index_elements=KEY, set_=values))

    def drop(self, verdict: Verdict) -> None:
        """Take back the verdict on the same as this one."""
        same = (verdicts.c[name] == getattr(verdict, name) for name in KEY)
        with writing(self._engine) as connection:
            connection.execute(sa.delete(verdicts).where(*same))

    def of_job(self, job_id: str, metric: str | None = None) -> list[Verdict]:
        """Return the verdicts on a job's outputs, or those on a metric, by task and sample."""
        return self._find(verdicts.c.job_id == job_id, *([] if metric is None else [verdicts.c.metric == metric]))

    def of_sample(self, job_id: str, task: str, sample: int) -> list[Verdict]:
        """Return the verdicts on the outputs of a sample."""
        return self._find(verdicts.c.job_id == job_id, verdicts.c.task == task, verdicts.c.sample == sample)

    def _find(self, *conditions: sa.ColumnElement[bool]) -> list[Verdict]:
        found = sa.select(*COLUMNS).where(*conditions).order_by(*verdicts.primary_key)
        with reading(self._engine) as connection:
            return [Verdict(**row._mapping) for row in connection.execute(found)]
