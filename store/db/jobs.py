"""The job records, and what engines report of them.

The API adds jobs and sets intents, an engine reports progress, the reconciler settles statuses.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, TypedDict, Unpack

import sqlalchemy as sa

from core.errors import Conflict, NameTaken, NotFound
from core.job import (
    TERMINAL,
    AskedJob,
    Deaths,
    Face,
    Failure,
    Intent,
    Job,
    JobStatus,
    ListedJob,
    NewJob,
    OpenJob,
    Progress,
    Transition,
    utcnow,
)
from core.queries.job_names import meant
from core.queries.lists import Listing
from core.result import ModelUsage
from core.spec import EvaluationSpec
from core.steering import OPEN, TURNING, passing_status
from store.bounds.database import forget_job
from store.db.alike import find_alike
from store.db.connect import insert_into, reading, writing
from store.db.job_lists import LISTED, PLACES, of_face
from store.db.job_names import called
from store.db.job_rows import as_columns, fields_of, job_of, listed_job_of, new_record
from store.db.leases import Lease, renew
from store.db.lists import page_of
from store.db.open_jobs import (
    history_of,
    read_deaths,
    read_open,
    read_reports,
    readable_history,
    write_deaths,
)
from store.db.tables import DELETED, gone_runs, job_progress, jobs
from store.files.contents import Files
from store.files.inputs import Intake
from store.vault import forget, keep


class Change(TypedDict, total=False):
    """What the reconciler may change of a job; an absent key leaves the column as it is."""

    status: JobStatus
    note: str | None
    failure: Failure | None
    crashes: int
    started_at: datetime | None
    finished_at: datetime | None
    usage: tuple[ModelUsage, ...] | None


class Jobs:
    """The job records of a database, and what `files` were made for them. Each method is one transaction.

    The rows that a job came with go to such files as it is recorded, and with it as it is removed.
    """

    def __init__(self, engine: sa.Engine, files: Files) -> None:
        self._engine = engine
        self._files = files

    def add(self, job: NewJob, secrets: Mapping[str, bytes] = {}, *, repeats_since: datetime | None = None) -> Job:
        """Record a new job together with its keys' ciphertexts, by id.

        One that has a failure has ended at once, and its keys are not kept.
        A request that was sent before makes no second job but returns the first: it has the idempotency
        key of that one, or, with `repeats_since`, the digest of one that came since then.
        Raises NameTaken if the face has a job of that name in that namespace, and Conflict if it has one of that
        idempotency key with another digest.
        """
        with Intake(self._files, job.id) as intake:
            record = new_record(job, intake)
            if job.failure is not None:
                history = (*record.history, Transition("failed", record.created_at))
                record = replace(record, status="failed", finished_at=record.created_at, history=history)
            return self._add(record, intake, secrets, repeats_since)

    def _add(self, job: Job, intake: Intake, secrets: Mapping[str, bytes], repeats_since: datetime | None) -> Job:
        with intake.placing(), writing(self._engine) as connection:
            if (earlier := _earlier(connection, job, repeats_since)) is not None:
                return job_of(earlier)
            insert = insert_into(connection, jobs).values(as_columns(fields_of(job)))
            insert = insert.on_conflict_do_nothing(index_elements=["face", "namespace", "name"])
            if connection.scalar(insert.returning(jobs.c.id)) is None:
                raise NameTaken(f"A job named {job.namespace}/{job.name} exists already; choose another name")
            if job.failure is None:
                keep(connection, "job", job.id, secrets)
            intake.keep(connection)
        return job

    def register(self, job: NewJob, flow_run_id: str) -> Job:
        """Record the job of a flow run that was started for none, or return the one of its id that is there.

        Raises NameTaken if the face has another job of that name in that namespace.
        """
        with Intake(self._files, job.id) as intake:
            record = replace(new_record(job, intake), flow_run_id=flow_run_id)
            row = self._register(record, intake)
        if row is None:
            raise NameTaken(f"A job named {job.namespace}/{job.name} exists already; choose another name")
        return job_of(row)

    def _register(self, job: Job, intake: Intake) -> sa.Row[Any] | None:
        with intake.placing(), writing(self._engine) as connection:
            insert = insert_into(connection, jobs).values(as_columns(fields_of(job))).on_conflict_do_nothing()
            if connection.execute(insert).rowcount:
                intake.keep(connection)
            return connection.execute(sa.select(jobs).where(jobs.c.id == job.id)).one_or_none()

    def restore(self, job: Job) -> bool:
        """Record a job again as it was, and return whether there was none of its id; nothing else is changed.

        Where its name is another's now, it goes by its id.
        """
        with writing(self._engine) as connection:
            for record in (job, replace(job, name=job.id)):
                insert = insert_into(connection, jobs).values(as_columns(fields_of(record))).on_conflict_do_nothing()
                if connection.scalar(insert.returning(jobs.c.id)) is not None:
                    return True
        return False

    def unknown(self, job_ids: Collection[str]) -> list[str]:
        """Return those of the ids that no job has."""
        with reading(self._engine) as connection:
            known = set(connection.scalars(sa.select(jobs.c.id)))
        return [job_id for job_id in job_ids if job_id not in known]

    def complete(
        self,
        job_id: str,
        *,
        spec: EvaluationSpec | None = None,
        model: str | None = None,
        request: Mapping[str, Any] | None = None,
        failure: Failure | None = None,
        secrets: Mapping[str, bytes] = {},
    ) -> None:
        """Give a registered job its specification and the request with what it named, or say why it has none.

        One that has a specification, has failed or is gone is left alone.
        """
        lacks = (jobs.c.id == job_id, jobs.c.spec.is_(None), jobs.c.failure.is_(None))
        with Intake(self._files, job_id) as intake:
            found: dict[str, Any] = {"model": model, "failure": failure, "spec": spec and intake.spec(spec)}
            if request is not None:
                found["request"], found["inputs"] = intake.request(dict(request))
            values = as_columns({name: value for name, value in found.items() if value is not None})
            with intake.placing(), writing(self._engine) as connection:
                change = sa.update(jobs).where(*lacks, jobs.c.status.in_(OPEN)).values(**values, updated_at=utcnow())
                if connection.execute(change).rowcount:
                    keep(connection, "job", job_id, secrets)
                    intake.keep(connection)

    def get(self, job_id: str, face: Face | None = None) -> Job:
        """Return a job, whole. A face finds only its own, and none that was deleted.

        Raises NotFound.
        """
        return job_of(self._find(jobs.c, job_id, face))

    def listed(self, job_id: str, face: Face | None = None) -> ListedJob:
        """Return what lists show of a job, which is found as by `get`."""
        return listed_job_of(self._find(LISTED, job_id, face))

    def identify(self, named: str, *, completed: bool = False) -> str:
        """Return the id of the job that is meant, as by `core.queries.job_names.meant`; raises as that does."""
        with reading(self._engine) as connection:
            return meant(named, called(connection, named), completed=completed)

    def alike(self, job_id: str) -> list[str]:
        """Return completed jobs that may be runs of the same, the last first."""
        with reading(self._engine) as connection:
            return find_alike(connection, job_id)

    def status(self, job_id: str) -> JobStatus:
        """Return the status of a job. Raises NotFound, for a deleted job too."""
        found = sa.select(jobs.c.status).where(jobs.c.id == job_id, jobs.c.intent != "delete")
        with reading(self._engine) as connection:
            status: JobStatus | None = connection.scalar(found)
        if status is None:
            raise NotFound("Job not found")
        return status

    def intent(self, job_id: str) -> Intent:
        """Return what the user wants of a job; "cancel" of one that has ended, "delete" of one that is gone."""
        with reading(self._engine) as connection:
            return _wanted(connection.execute(_wants(job_id)).one_or_none())[0]

    def page(self, face: Face | None, listing: Listing) -> tuple[list[ListedJob], int]:
        """Return the page that is asked for of a face's jobs, or of all, and how many are on all its pages.

        Jobs that were deleted, and ephemeral ones, are left out.
        """
        shown = (of_face(face, listing), jobs.c.intent != "delete", ~jobs.c.ephemeral)
        with reading(self._engine) as connection:
            rows, total = page_of(connection, jobs, PLACES, listing, shown, columns=LISTED)
        return [listed_job_of(row) for row in rows], total

    def open(self) -> list[OpenJob]:
        """Return the jobs that have not ended, and those still to be removed, oldest first."""
        # Look-ups in indexes: with OR, SQLite would read every row there is.
        still_open = sa.select(jobs.c.id).where(jobs.c.status.in_(OPEN))
        return self._open(jobs.c.id.in_(still_open.union(sa.select(jobs.c.id).where(DELETED))))

    def in_hand(self) -> list[OpenJob]:
        """Return those of the open jobs that do not just wait for a flow run, oldest first.

        They have one, or something else is wanted of them than to run.
        """
        running = sa.select(jobs.c.id).where(jobs.c.status.in_(OPEN), jobs.c.flow_run_id > "")
        turning = sa.select(jobs.c.id).where(jobs.c.status.in_(TURNING), jobs.c.flow_run_id.is_(None))
        return self._open(jobs.c.id.in_(running.union(turning, sa.select(jobs.c.id).where(DELETED))))

    def undispatched(self, limit: int | None = None) -> list[OpenJob]:
        """Return the open jobs that shall run and have no flow run yet, oldest first; at most `limit` new ones."""
        # The new ones are many: they are found in order by the index, and no more of them than are asked for.
        new = sa.select(jobs.c.id).where(*_waiting("created")).order_by(jobs.c.created_at, jobs.c.id).limit(limit)
        others = sa.select(jobs.c.id).where(*_waiting(*sorted(OPEN - {"created"})))
        return self._open(jobs.c.id.in_(sa.select(new.subquery().c.id).union(others)))

    def incomplete(self) -> list[OpenJob]:
        """Return the jobs of flow runs that name what is stored and have no specification yet, oldest first."""
        return self._open(
            jobs.c.status.in_(OPEN),
            jobs.c.flow_run_id > "",
            jobs.c.spec.is_(None),
            jobs.c.failure.is_(None),
            jobs.c.target.is_not(None),
        )

    def explain(self, note: str, before: datetime) -> None:
        """Note why the new jobs wait that have no flow run yet and were made before then."""
        unexplained = (*_waiting("created"), jobs.c.created_at < before, jobs.c.note.is_(None))
        with writing(self._engine) as connection:
            connection.execute(sa.update(jobs).where(*unexplained).values(note=note, updated_at=utcnow()))

    def dispatched(self, job_id: str, flow_run_id: str) -> None:
        """Note the flow run that carries out a job."""
        with writing(self._engine) as connection:
            connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(flow_run_id=flow_run_id))

    def want(self, job_id: str, intent: Intent, face: Face | None = None, *, seen: JobStatus | None = None) -> Job:
        """Set what the user wants of a job, and show at once that it is on its way; a face finds only its own.

        Raises NotFound, for a deleted job too, and Conflict where the job's status does not allow it, or is no
        longer `seen`.
        """
        with writing(self._engine) as connection:
            current = _locked(connection, job_id, *jobs.c)
            if current is None or face not in (None, current.face):
                raise NotFound("Job not found")
            if current.intent == "delete" and (face is not None or intent != "delete"):
                raise NotFound("Job not found")
            if seen is not None and current.status != seen:
                raise Conflict(f"Job is {current.status} and no longer {seen}")
            changed = _change(connection, current, intent=intent, status=passing_status(current.status, intent))
        return replace(job_of(current), **changed)

    def settle(self, job_id: str, *, seen: JobStatus | None = None, **changes: Unpack[Change]) -> bool:
        """Record what became of a job, and return whether it was taken; the reconciler's only write.

        It is refused if the job is terminal or gone, and if its status is no longer `seen`: the user
        has paused or cancelled it since. A terminal status deletes the job's keys.
        """
        with writing(self._engine) as connection:
            return _settle(connection, job_id, seen, changes)

    def report(self, progress: Progress, lease: Lease | None = None) -> Intent:
        """Record an engine's progress, renew its lease, and return what the user wants of the job.

        A job that is gone answers "delete", and one that has ended "cancel"; of neither is anything recorded.
        Raises Superseded if the lease is another's by now.
        """
        columns = as_columns(asdict(progress))
        # The key is shared so that the job cannot go between the two statements.
        wants = _wants(progress.job_id).with_for_update(read=True, key_share=True)
        with writing(self._engine) as connection:
            row = connection.execute(wants).one_or_none()
            if row is not None and lease is not None:
                renew(connection, lease)
            intent, goes_on = _wanted(row)
            if goes_on:
                upsert = insert_into(connection, job_progress).values(columns)
                connection.execute(upsert.on_conflict_do_update(index_elements=["job_id"], set_=columns))
        return intent

    def progress(self, job_ids: Collection[str]) -> dict[str, Progress]:
        """Return the last reports of those of the jobs that have one that can be read, by job id."""
        with reading(self._engine) as connection:
            return read_reports(connection, job_ids)

    def deaths(self, job_id: str) -> Deaths:
        """Return what is kept of the deaths of a job's engines."""
        with reading(self._engine) as connection:
            return read_deaths(connection, job_id)

    def died(self, job_id: str, deaths: Deaths, **changes: Unpack[Change]) -> None:
        """Keep what is to be known at the next death of a job's engine, and record what comes of this one."""
        with writing(self._engine) as connection:
            if _settle(connection, job_id, None, {**changes, "crashes": deaths.counted}):
                write_deaths(connection, job_id, deaths)

    def call_off(self, job_id: str) -> None:
        """Have the engine of a job stop that nothing else can be done with."""
        goes_on = (jobs.c.id == job_id, jobs.c.status.in_(OPEN), jobs.c.intent != "delete")
        with writing(self._engine) as connection:
            connection.execute(sa.update(jobs).where(*goes_on).values(intent="cancel"))

    def fail(self, job_id: str, failure: Failure) -> None:
        """End a job that nothing else can be done with; no damage to its record keeps it from that."""
        now = utcnow()
        with writing(self._engine) as connection:
            history = (*readable_history(connection, job_id), Transition("failed", now))
            end = {"status": "failed", "failure": failure, "finished_at": now, "updated_at": now, "history": history}
            ending = sa.update(jobs).where(jobs.c.id == job_id, jobs.c.status.in_(OPEN)).values(as_columns(end))
            if connection.execute(ending).rowcount:
                _let_go(connection, job_id)

    def drop_ephemeral(self, before: datetime) -> None:
        """Have the ephemeral jobs deleted that were made before then: nobody waits for them any more."""
        # Found by an index alone; rows are long, and no other writer can go on meanwhile.
        found = sa.select(jobs.c.id).where(jobs.c.ephemeral, jobs.c.created_at < before, jobs.c.intent != "delete")
        with writing(self._engine) as connection:
            forgotten = sa.update(jobs).where(jobs.c.id.in_(found))
            connection.execute(forgotten.values(intent="delete", updated_at=utcnow()))

    def remove(self, job_id: str) -> None:
        """Delete a job's record, progress, keys and files; nothing happens if it is gone already.

        Its flow run is noted, to be deleted in Prefect too.
        """
        run = sa.select(jobs.c.flow_run_id, jobs.c.id).where(jobs.c.id == job_id, jobs.c.flow_run_id > "")
        with writing(self._engine) as connection:
            note = insert_into(connection, gone_runs).from_select(["flow_run_id", "job_id"], run)
            connection.execute(note.on_conflict_do_nothing())
            _let_go(connection, job_id)
            released = self._files.release(connection, job_id)
            connection.execute(sa.delete(jobs).where(jobs.c.id == job_id))
        self._files.drop(released)

    def _find(self, columns: Iterable[sa.Column[Any]], job_id: str, face: Face | None) -> sa.Row[Any]:
        found = sa.select(*columns).where(jobs.c.id == job_id)
        if face is not None:
            found = found.where(jobs.c.face == face, jobs.c.intent != "delete")
        with reading(self._engine) as connection:
            row = connection.execute(found).one_or_none()
        if row is None:
            raise NotFound("Job not found")
        return row

    def _open(self, *conditions: sa.ColumnElement[bool]) -> list[OpenJob]:
        with reading(self._engine) as connection:
            return read_open(connection, *conditions)


def _wants(job_id: str) -> sa.Select[tuple[Intent, JobStatus]]:
    return sa.select(jobs.c.intent, jobs.c.status).where(jobs.c.id == job_id)


def _wanted(row: sa.Row[tuple[Intent, JobStatus]] | None) -> tuple[Intent, bool]:
    """Return what an engine is to know that the user wants of a job, and whether the job goes on."""
    if row is None:
        return "delete", False
    intent, status = row
    return (intent, True) if status not in TERMINAL else ("delete" if intent == "delete" else "cancel", False)


def _earlier(connection: sa.Connection, job: AskedJob, since: datetime | None) -> sa.Row[Any] | None:
    """Return the job that the same request has made before; another may be at the same request now."""
    if connection.dialect.name == "postgresql" and job.digest is not None:
        turn = sa.func.hashtext(job.idempotency_key or job.digest)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(turn)))
    if job.idempotency_key is not None:
        same = jobs.c.idempotency_key == job.idempotency_key
    elif since is not None:
        same = (jobs.c.digest == job.digest) & (jobs.c.created_at >= since)
    else:
        return None
    found = sa.select(jobs).where(jobs.c.face == job.face, jobs.c.intent != "delete", same)
    row = connection.execute(found.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(1)).one_or_none()
    if row is not None and row.digest != job.digest:
        raise Conflict("This Idempotency-Key came before with another request; send each request with its own")
    return row


def _locked(connection: sa.Connection, job_id: str, *columns: sa.Column[Any]) -> sa.Row[Any] | None:
    return connection.execute(sa.select(*columns).where(jobs.c.id == job_id).with_for_update()).one_or_none()


def _waiting(*statuses: JobStatus) -> tuple[sa.ColumnElement[bool], ...]:
    """Return what is true of jobs of these statuses that shall run and have no flow run yet."""
    return jobs.c.status.in_(statuses), jobs.c.flow_run_id.is_(None), jobs.c.intent == "run"


def _settle(connection: sa.Connection, job_id: str, seen: JobStatus | None, changes: Change) -> bool:
    needed = ("id", "history", *Change.__annotations__)
    current = _locked(connection, job_id, *(jobs.c[name] for name in needed))
    if current is None or current.status in TERMINAL or (seen is not None and current.status != seen):
        return False
    changed = _change(connection, current, **as_columns(changes))
    if changed.get("status") in TERMINAL:
        _let_go(connection, job_id)
    return True


def _let_go(connection: sa.Connection, job_id: str) -> None:
    """Delete what only a job needs that goes on: its keys, and its processes' parts of its calls."""
    forget(connection, "job", job_id)
    forget_job(connection, job_id)


def _change(connection: sa.Connection, current: sa.Row[Any], **columns: Any) -> dict[str, Any]:
    """Write those of the columns that differ, with the time, and return what was written."""
    changed = {name: value for name, value in columns.items() if current._mapping[name] != value}
    if changed:
        changed["updated_at"] = now = utcnow()
        if "status" in changed:
            changed["history"] = (*history_of(current.history), Transition(changed["status"], now))
        connection.execute(sa.update(jobs).where(jobs.c.id == current.id).values(as_columns(changed)))
    return changed
