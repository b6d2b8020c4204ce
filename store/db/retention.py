"""What may go from the tables: jobs that have ended, uploads that nothing names, flow runs of jobs that are gone."""

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from core.job import TERMINAL, utcnow
from core.retention import Ended, series_of
from store.db.connect import reading, writing
from store.db.tables import (
    benchmarks,
    configs,
    containers,
    datasets,
    evaluators,
    files,
    gone_runs,
    jobs,
    results,
    targets,
    verdicts,
)
from store.files.contents import FileRecord, Files

T = TypeVar("T")

AT_A_TIME: Final = 500
"""Of a statement's parameters."""

FILE_ID: Final = re.compile(r"file-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

NAMING: Final = (
    *(jobs.c[name] for name in ("spec", "request", "inputs")),
    *(table.c.body for table in (targets, configs, evaluators, containers)),
    datasets.c.file,
    benchmarks.c.documents,
    results.c.files_url,
)
"""The columns in whose texts an upload may be named."""

RETRIES: Final = jobs.alias("retries")

JUDGED: Final = sa.exists().where(verdicts.c.job_id == jobs.c.id)
AWAITED: Final = sa.exists().where(RETRIES.c.retry_of == jobs.c.id, RETRIES.c.status.not_in(TERMINAL))
ENDED: Final = (
    *(jobs.c[name] for name in ("id", "namespace", "name", "config", "model", "status")),
    sa.func.coalesce(jobs.c.finished_at, jobs.c.updated_at).label("finished_at"),
    (JUDGED | AWAITED).label("needed"),
)
PRUNABLE: Final = (jobs.c.status.in_(TERMINAL), jobs.c.intent != "delete", ~jobs.c.ephemeral)


class Retention:
    """What a database may lose. Each method is one transaction, or one for each `AT_A_TIME`."""

    def __init__(self, engine: sa.Engine, uploads: Files) -> None:
        self._engine = engine
        self._files = uploads

    def ended(self) -> list[Ended]:
        """Return the jobs that have ended and are shown."""
        with reading(self._engine) as connection:
            return [_ended(row) for row in connection.execute(sa.select(*ENDED).where(*PRUNABLE))]

    def condemn(self, job_ids: Collection[str]) -> None:
        """Have those of the jobs deleted that still may be; from then on they are not shown."""
        may_go = (*PRUNABLE, ~JUDGED, ~AWAITED)
        for some in _parts(job_ids):
            with writing(self._engine) as connection:
                change = sa.update(jobs).where(jobs.c.id.in_(some), *may_go)
                connection.execute(change.values(intent="delete", updated_at=utcnow()))

    def condemned(self) -> list[str]:
        """Return the jobs that have ended and are to be removed."""
        found = sa.select(jobs.c.id).where(jobs.c.status.in_(TERMINAL), jobs.c.intent == "delete")
        with reading(self._engine) as connection:
            return list(connection.scalars(found))

    def files_of(self, job_ids: Collection[str]) -> list[FileRecord]:
        """Return the files that were made for jobs."""
        with reading(self._engine) as connection:
            rows = [
                row
                for some in _parts(job_ids)
                for row in connection.execute(sa.select(files).where(files.c.job.in_(some)))
            ]
        return [FileRecord(**row._mapping) for row in rows]

    def unnamed(self, before: datetime, without: Collection[str] = ()) -> list[FileRecord]:
        """Return the uploads made before then that nothing stored names, and no job but those `without` which it is."""
        with reading(self._engine) as connection:
            return _unnamed(connection, files.c.created_at < before, frozenset(without))

    def drop_unnamed(self, uploads: Collection[FileRecord]) -> None:
        """Delete those of the uploads that no job and nothing stored names, and that did not come again since."""
        for some in _parts(uploads):
            as_found = sa.tuple_(files.c.id, files.c.created_at).in_([(each.id, each.created_at) for each in some])
            with writing(self._engine) as connection:
                found = _unnamed(connection, as_found, frozenset())
                connection.execute(sa.delete(files).where(files.c.id.in_([each.id for each in found])))
            self._files.drop(found)

    def gone_runs(self, limit: int) -> dict[str, str]:
        """Return some of the flow runs whose jobs are gone, each with its job's id."""
        found = sa.select(gone_runs.c.flow_run_id, gone_runs.c.job_id).limit(limit)
        with reading(self._engine) as connection:
            return {row.flow_run_id: row.job_id for row in connection.execute(found)}

    def forget_run(self, flow_run_id: str) -> None:
        """Note that a flow run is gone too."""
        with writing(self._engine) as connection:
            connection.execute(sa.delete(gone_runs).where(gone_runs.c.flow_run_id == flow_run_id))


def _ended(row: sa.Row[Any]) -> Ended:
    series = series_of(row.id, namespace=row.namespace, name=row.name, config=row.config, model=row.model)
    return Ended(row.id, series, row.finished_at, completed=row.status == "completed", needed=row.needed)


def _parts(values: Collection[T]) -> Iterator[Sequence[T]]:
    """Yield the values, as many at a time as a statement may have parameters."""
    whole = list(values)
    yield from (whole[start : start + AT_A_TIME] for start in range(0, len(whole), AT_A_TIME))


def _unnamed(connection: sa.Connection, condition: sa.ColumnElement[bool], without: frozenset[str]) -> list[FileRecord]:
    rows = connection.execute(sa.select(files).where(files.c.job.is_(None), condition)).all()
    named = set(_named(connection, without)) if rows else set()
    return [FileRecord(**row._mapping) for row in rows if row.id not in named]


def _named(connection: sa.Connection, without: frozenset[str]) -> Iterator[str]:
    """Yield the ids of the uploads that are named anywhere but in some jobs."""
    for column in NAMING:
        found = sa.select(column.table.c.id, sa.type_coerce(column, sa.Text)).where(column.is_not(None))
        if column.table is jobs:
            found = found.where(jobs.c.intent != "delete")
        for row_id, text in connection.execute(found.execution_options(yield_per=AT_A_TIME)):
            if not (column.table is jobs and row_id in without):
                yield from FILE_ID.findall(text)
