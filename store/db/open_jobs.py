"""What the control loop reads of job records: many at once, and of one that is damaged what can be had.

A value that cannot be read costs its own job, not the list: the rows are then read one by one, column by column.
"""

import logging
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError

from core.job import Count, Deaths, Failure, OpenJob, Progress, Transition, utcnow
from core.result import ModelUsage
from store.db.connect import insert_into
from store.db.tables import job_deaths, job_progress, jobs

UNREADABLE: Final = (ValueError, TypeError, AttributeError, sa.exc.OperationalError)
"""What SQLite's drivers and the columns' types raise for a value that is not of its column's type."""

COLUMNS: Final = [jobs.c[field.name] for field in fields(OpenJob) if field.name in jobs.c]

USAGE: Final = TypeAdapter[tuple[ModelUsage, ...] | None](tuple[ModelUsage, ...] | None)

logger = logging.getLogger("assay.store")


def read_open(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[OpenJob]:
    """Return the jobs that meet the conditions, oldest first."""
    found = sa.select(*COLUMNS).where(*conditions).order_by(jobs.c.created_at, jobs.c.id)
    try:
        return [_open_job(row._mapping) for row in _all(connection, found)]
    except UNREADABLE:
        ids = connection.scalars(found.with_only_columns(jobs.c.id)).all()
        return [_readable(connection, job_id) for job_id in ids]


def read_reports(connection: sa.Connection, job_ids: Collection[str]) -> dict[str, Progress]:
    """Return the last reports of those of the jobs that have one; one that cannot be read is as good as none."""
    found = sa.select(job_progress)
    try:
        rows = _all(connection, found.where(job_progress.c.job_id.in_(job_ids)))
        return {row.job_id: _progress(row) for row in rows}
    except UNREADABLE:
        reports: dict[str, Progress] = {}
        for job_id in job_ids:
            try:
                for row in _all(connection, found.where(job_progress.c.job_id == job_id)):
                    reports[job_id] = _progress(row)
            except UNREADABLE as error:
                logger.warning("The last report of job %s cannot be read: %s", job_id, error)
        return reports


def read_deaths(connection: sa.Connection, job_id: str) -> Deaths:
    """Return what is kept of the deaths of a job's engines."""
    found = sa.select(jobs.c.crashes, job_deaths).outerjoin_from(jobs, job_deaths).where(jobs.c.id == job_id)
    row = connection.execute(found).one_or_none()
    if row is None or row.job_id is None:
        return Deaths(counted=row.crashes if row else 0)
    return Deaths(row.crashes, row.total, (row.stages, row.calls))


def write_deaths(connection: sa.Connection, job_id: str, deaths: Deaths) -> None:
    """Keep what is to be known at the next death of a job's engine; the job is there."""
    stages, calls = deaths.extent
    kept = {"job_id": job_id, "total": deaths.total, "stages": stages, "calls": calls}
    upsert = insert_into(connection, job_deaths).values(kept)
    connection.execute(upsert.on_conflict_do_update(index_elements=["job_id"], set_=kept))


def history_of(value: Any) -> tuple[Transition, ...]:
    """Return the history that a column holds."""
    return tuple(Transition(status, datetime.fromisoformat(at)) for status, at in value or ())


def readable_history(connection: sa.Connection, job_id: str) -> tuple[Transition, ...]:
    """Return a job's history, or none of it if it cannot be read."""
    try:
        (row,) = _all(connection, sa.select(jobs.c.history).where(jobs.c.id == job_id))
        return history_of(row.history)
    except UNREADABLE:
        return ()


def failure_of(value: Any) -> Failure | None:
    """Return the failure that a column holds."""
    return None if value is None else Failure.model_validate(value)


def usage_of(value: Any) -> tuple[ModelUsage, ...] | None:
    """Return the usage that a column holds; None for one that another release wrote otherwise."""
    try:
        return USAGE.validate_python(value)
    except ValidationError:
        return None


def _all(connection: sa.Connection, statement: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
    """Return all rows of a statement, which is over even if one of them cannot be read."""
    with closing(connection.execute(statement)) as result:
        return result.all()


def _open_job(row: Any, damage: str | None = None) -> OpenJob:
    return OpenJob(**{**row, "failure": failure_of(row["failure"])}, damage=damage)


def _readable(connection: sa.Connection, job_id: str) -> OpenJob:
    """Return a job with what can be read of its columns, and what is wrong with the first that cannot."""
    row: dict[str, Any] = {"created_at": utcnow(), "updated_at": utcnow()}
    damage = None
    for column in COLUMNS:
        try:
            ((value,),) = _all(connection, sa.select(column).where(jobs.c.id == job_id))
            if column is jobs.c.failure:
                failure_of(value)
            row[column.name] = value
        except UNREADABLE as error:
            row.setdefault(column.name, None)
            damage = damage or f"{column.name}: {error}"
    return _open_job(row, damage)


def _progress(row: sa.Row[Any]) -> Progress:
    counts = {task: {stage: Count(**count) for stage, count in stages.items()} for task, stages in row.counts.items()}
    parsed = {"counts": counts, "failure": failure_of(row.failure), "usage": usage_of(row.usage)}
    return Progress(**{**row._mapping, **parsed, "bounds": tuple(row.bounds or ())})
