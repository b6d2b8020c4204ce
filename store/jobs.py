"""The job records, and what engines report of them.

The API adds jobs and sets intents, an engine reports progress, the reconciler settles statuses.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any, Final, Literal, TypedDict, Unpack, get_args

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.dialects import postgresql, sqlite

from core.errors import Conflict, NotFound
from core.job import TERMINAL, Count, Face, Failure, Intent, Job, JobStatus, NewJob, OpenJob, Progress, utcnow
from core.spec import EvaluationSpec
from store.connect import reading, writing
from store.tables import job_progress, jobs
from store.tables import secrets as keys

Sort = Literal["created_at", "-created_at", "updated_at", "-updated_at"]

OPEN: Final[frozenset[JobStatus]] = frozenset(get_args(JobStatus)) - TERMINAL
"""The statuses from which a job still goes on."""

CAN_PAUSE: Final[frozenset[JobStatus]] = frozenset({"created", "pending", "running", "resuming"})
CAN_RESUME: Final[frozenset[JobStatus]] = frozenset({"pausing", "paused"})


class Change(TypedDict, total=False):
    """What the reconciler may change of a job; an absent key leaves the column as it is."""

    status: JobStatus
    note: str | None
    failure: Failure | None
    crashes: int
    started_at: datetime | None
    finished_at: datetime | None


class Jobs:
    """The job records of a database. Each method is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, job: NewJob, secrets: Mapping[str, bytes] = {}) -> Job:
        """Record a new job together with its keys' ciphertexts, by id.

        Raises Conflict if the face has a job of that name in that namespace.
        """
        now = utcnow()
        record = Job(**_fields(job), created_at=now, updated_at=now)
        with writing(self._engine) as connection:
            insert = _insert(connection, jobs).values(_columns(_fields(record)))
            insert = insert.on_conflict_do_nothing(index_elements=["face", "namespace", "name"])
            if connection.scalar(insert.returning(jobs.c.id)) is None:
                raise Conflict(f"A job named {job.namespace}/{job.name} exists already; choose another name")
            _keep(connection, job.id, secrets, now)
        return record

    def get(self, job_id: str, face: Face | None = None) -> Job:
        """Return a job. A face finds only its own, and none that was deleted.

        Raises NotFound.
        """
        found = sa.select(jobs).where(jobs.c.id == job_id)
        if face is not None:
            found = found.where(jobs.c.face == face, jobs.c.intent != "delete")
        with reading(self._engine) as connection:
            row = connection.execute(found).one_or_none()
        if row is None:
            raise NotFound("Job not found")
        return _job(row)

    def page(self, face: Face, *, page: int, page_size: int, sort: Sort = "-created_at") -> tuple[list[Job], int]:
        """Return a page (counted from 1) of a face's jobs, and how many it has in all; ties go by id.

        Jobs that were deleted are left out.
        """
        shown = (jobs.c.face == face, jobs.c.intent != "delete")
        order: list[sa.ColumnElement[Any]] = [jobs.c[sort.removeprefix("-")], jobs.c.id]
        if sort.startswith("-"):
            order = [column.desc() for column in order]
        rows = sa.select(jobs).where(*shown).order_by(*order).limit(page_size).offset((page - 1) * page_size)
        with reading(self._engine) as connection:
            total = connection.scalar(sa.select(sa.func.count()).select_from(jobs).where(*shown))
            return [_job(row) for row in connection.execute(rows)], total or 0

    def open(self) -> list[OpenJob]:
        """Return the jobs that have not ended, and those still to be removed, oldest first."""
        return self._list(jobs.c.status.in_(OPEN) | (jobs.c.intent == "delete"))

    def undispatched(self) -> list[OpenJob]:
        """Return the open jobs that shall run and have no flow run yet, oldest first."""
        return self._list(jobs.c.status.in_(OPEN), jobs.c.intent == "run", jobs.c.flow_run_id.is_(None))

    def dispatched(self, job_id: str, flow_run_id: str) -> None:
        """Note the flow run that carries out a job."""
        with writing(self._engine) as connection:
            connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(flow_run_id=flow_run_id))

    def want(self, job_id: str, intent: Intent) -> Job:
        """Set what the user wants of a job, and show at once that it is on its way.

        Raises NotFound, for a deleted job too, and Conflict where the job's status does not allow it.
        """
        with writing(self._engine) as connection:
            current = _locked(connection, job_id, *jobs.c)
            if current is None or (current.intent == "delete" and intent != "delete"):
                raise NotFound("Job not found")
            changed = _change(connection, current, intent=intent, status=passing_status(current.status, intent))
        return replace(_job(current), **changed)

    def settle(self, job_id: str, *, seen: JobStatus | None = None, **changes: Unpack[Change]) -> bool:
        """Record what became of a job, and return whether it was taken; the reconciler's only write.

        It is refused if the job is terminal or gone, and if its status is no longer `seen`: the user
        has paused or cancelled it since. A terminal status deletes the job's keys.
        """
        with writing(self._engine) as connection:
            current = _locked(connection, job_id, jobs.c.id, *(jobs.c[name] for name in Change.__annotations__))
            if current is None or current.status in TERMINAL or (seen is not None and current.status != seen):
                return False
            changed = _change(connection, current, **_columns(changes))
            if changed.get("status") in TERMINAL:
                _forget(connection, job_id)
        return True

    def report(self, progress: Progress) -> Intent:
        """Record an engine's progress, and return what the user wants of the job.

        A job that is gone answers "delete".
        """
        columns = _columns(asdict(progress))
        # The key is shared so that the job cannot go between the two statements.
        wanted = sa.select(jobs.c.intent).where(jobs.c.id == progress.job_id).with_for_update(read=True, key_share=True)
        with writing(self._engine) as connection:
            intent: Intent | None = connection.scalar(wanted)
            if intent is None:
                return "delete"
            upsert = _insert(connection, job_progress).values(columns)
            connection.execute(upsert.on_conflict_do_update(index_elements=["job_id"], set_=columns))
        return intent

    def progress(self, job_ids: Collection[str]) -> dict[str, Progress]:
        """Return the last reports of those of the jobs that have one, by job id."""
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(job_progress).where(job_progress.c.job_id.in_(job_ids)))
            return {row.job_id: _progress(row) for row in rows}

    def remove(self, job_id: str) -> None:
        """Delete a job's record, progress and keys; nothing happens if it is gone already."""
        with writing(self._engine) as connection:
            _forget(connection, job_id)
            connection.execute(sa.delete(jobs).where(jobs.c.id == job_id))

    def _list(self, *conditions: sa.ColumnElement[bool]) -> list[OpenJob]:
        columns = [jobs.c[field.name] for field in fields(OpenJob)]
        rows = sa.select(*columns).where(*conditions).order_by(jobs.c.created_at, jobs.c.id)
        with reading(self._engine) as connection:
            return [OpenJob(**{**row._mapping, "failure": _failure(row)}) for row in connection.execute(rows)]


def passing_status(status: JobStatus, intent: Intent) -> JobStatus:
    """Return the status that a job shows as soon as the user wants `intent` of it.

    Raises Conflict where that makes no sense.
    """
    match intent:
        case "delete":
            return status
        case "pause" if status in CAN_PAUSE:
            return "pausing"
        case "run" if status in CAN_RESUME:
            return "resuming"
        case "cancel" if status in OPEN:
            return "cancelling"
    verb = {"pause": "paused", "run": "resumed", "cancel": "cancelled"}[intent]
    raise Conflict(f"Job is {status} and cannot be {verb}")


def _insert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _keep(connection: sa.Connection, job_id: str, ciphertexts: Mapping[str, bytes], now: datetime) -> None:
    owner = {"owner_kind": "job", "owner_id": job_id, "created_at": now}
    rows = [{"id": key_id, "ciphertext": ciphertext, **owner} for key_id, ciphertext in ciphertexts.items()]
    if rows:
        connection.execute(sa.insert(keys), rows)


def _forget(connection: sa.Connection, job_id: str) -> None:
    owned = (keys.c.owner_kind == "job", keys.c.owner_id == job_id)
    connection.execute(sa.delete(keys).where(*owned))


def _locked(connection: sa.Connection, job_id: str, *columns: sa.Column[Any]) -> sa.Row[Any] | None:
    return connection.execute(sa.select(*columns).where(jobs.c.id == job_id).with_for_update()).one_or_none()


def _change(connection: sa.Connection, current: sa.Row[Any], **columns: Any) -> dict[str, Any]:
    """Write those of the columns that differ, with the time, and return what was written."""
    changed = {name: value for name, value in columns.items() if current._mapping[name] != value}
    if changed:
        changed["updated_at"] = utcnow()
        connection.execute(sa.update(jobs).where(jobs.c.id == current.id).values(changed))
    return changed


def _fields(job: NewJob) -> dict[str, Any]:
    return {field.name: getattr(job, field.name) for field in fields(job)}


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value for name, value in values.items()
    }


def _job(row: sa.Row[Any]) -> Job:
    return Job(**{**row._mapping, "spec": EvaluationSpec.model_validate(row.spec), "failure": _failure(row)})


def _progress(row: sa.Row[Any]) -> Progress:
    counts = {task: {stage: Count(**count) for stage, count in stages.items()} for task, stages in row.counts.items()}
    return Progress(**{**row._mapping, "counts": counts, "failure": _failure(row)})


def _failure(row: sa.Row[Any]) -> Failure | None:
    return None if row.failure is None else Failure.model_validate(row.failure)
