"""Keep the job records in step with their flow runs; alone writes a terminal status.

What was done is in the journals and results. Prefect says what runs. A lock on the job's folder, or the lease that it
has in the database, says whether an engine is at work, whatever became of its process. What goes wrong with one job is
its own trouble.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient

from core.errors import AssayError, RecordDamaged
from core.job import TERMINAL, JobStatus, OpenJob, Progress, utcnow
from flows.control.endings import Endings
from flows.control.finish import finish
from flows.control.intents import carry_out_intent, want
from flows.control.revive import revive
from flows.control.runs import Run, read_runs
from flows.control.status import next_status
from flows.control.troubles import Troubles, failure_of
from flows.control.watch import Watch
from store.db.jobs import Change
from store.workspace import Workspace

POLL_INTERVAL_S = 2.0

AT_REST: Final[frozenset[JobStatus]] = TERMINAL | {"paused"}
"""The statuses in which no call is made: they are recorded while no engine holds the job's folder or can come to."""


class Reconciler:
    """Watches the jobs of a workspace that are in hand: those with a flow run, and those that become something else."""

    def __init__(self, workspace: Workspace, endings: Endings, troubles: Troubles) -> None:
        """Begin with no memory: what is remembered may be lost with the process, but not by an error."""
        self._workspace = workspace
        self._endings = endings
        self._troubles = troubles
        self._watches: dict[str, Watch] = {}
        self._polled_at = float("-inf")
        self._lost_at: float | None = None

    def queued(self, deployment: UUID) -> int:
        """Return how many runs of a deployment have still to be taken up by a worker."""
        return sum(watch.is_queued and watch.deployment in (None, deployment) for watch in self._watches.values())

    async def look(self, client: PrefectClient) -> None:
        """Look once at every job in hand; at Prefect only if it is time, or a job may have changed.

        Raises TransportError if Prefect cannot be reached.
        """
        jobs = await asyncio.to_thread(self._workspace.jobs.in_hand)
        reports = await asyncio.to_thread(self._workspace.jobs.progress, [job.id for job in jobs])
        self._watches = {job.id: self._watches.get(job.id) or Watch() for job in jobs}
        for job in jobs:
            self._watches[job.id].note_report(reports.get(job.id))
        await self._settle_all(client, [job for job in jobs if job.flow_run_id is None], reports)
        await self._troubles.attempt(lambda: self._poll(client, jobs, reports), "a look at Prefect")
        await self._settle_all(client, [job for job in jobs if job.flow_run_id is not None], reports)

    async def _settle_all(
        self, client: PrefectClient, jobs: Sequence[OpenJob], reports: Mapping[str, Progress]
    ) -> None:
        for job in jobs:
            await self._attempt(partial(self._settle, client, job, reports.get(job.id)), "settling", job)

    async def _attempt(self, work: Callable[[], Awaitable[object]], step: str, job: OpenJob) -> None:
        await self._troubles.attempt(work, step, job.id, give_up=partial(give_up, self._workspace, job.id))

    async def _poll(self, client: PrefectClient, jobs: Sequence[OpenJob], reports: Mapping[str, Progress]) -> None:
        """Read the states of the jobs' flow runs: of all now and then, of those about to change at once."""
        if is_time := time.monotonic() - self._polled_at >= POLL_INTERVAL_S:
            self._polled_at = time.monotonic()
        else:
            jobs = [job for job in jobs if _is_turning(job, reports.get(job.id))]
        by_run = {run_id: job for job in jobs if (run_id := _run_id(job))}
        try:
            found = await read_runs(client, list(by_run))
        except httpx.HTTPError:
            self.note_loss()
            raise
        if is_time:
            self._note_recovery()
        for run_id, job in by_run.items():
            note = partial(self._note, job, found.runs.get(run_id) or found.unread.get(run_id))
            await self._attempt(note, "a look at the run", job)

    def note_loss(self) -> None:
        """Take note that Prefect does not answer."""
        self._lost_at = self._lost_at or time.monotonic()
        self._polled_at = float("-inf")

    def _note_recovery(self) -> None:
        """Take note that Prefect answers; while it did not, no run could go on."""
        if self._lost_at is not None:
            for watch in self._watches.values():
                watch.note_outage(time.monotonic() - self._lost_at)
            self._lost_at = None

    async def _note(self, job: OpenJob, found: Run | Exception | None) -> None:
        """Take note of what was found of a job's run; raises why it could not be read."""
        match found:
            case Run():
                self._watches[job.id].note(found)
            case Exception():
                raise found
            case None if not await asyncio.to_thread(self._workspace.is_held, job.id):
                self._watches[job.id].note_run("gone")  # while an engine is at work, another Prefect server has it

    async def _settle(self, client: PrefectClient, job: OpenJob, report: Progress | None) -> None:
        """Do in Prefect what the user wants and what a dead engine needs, then record the status."""
        watch, run_id = self._watches[job.id], _run_id(job)
        damage = job.damage or (f"flow_run_id: {job.flow_run_id!r}" if job.flow_run_id and run_id is None else None)
        if damage and job.status not in TERMINAL:
            await give_up(self._workspace, job.id, RecordDamaged(f"The job's record is damaged: {damage}"))
            return
        if run_id and watch.run == "none":
            return  # Prefect has not been asked yet
        if await carry_out_intent(client, self._workspace, job, run_id, watch):
            return  # the next look sees what came of it
        if run_id and watch.engine_is_dead(report) and not await asyncio.to_thread(self._workspace.is_held, job.id):
            await revive(client, self._workspace, job, run_id, watch, report)
            return
        status = next_status(job.status, watch.run, job.intent)
        if status in AT_REST and status != job.status and await asyncio.to_thread(self._workspace.is_occupied, job.id):
            await self._have_stopped(job, status)
        else:
            await self._record(job, watch, status)

    async def _have_stopped(self, job: OpenJob, status: JobStatus) -> None:
        """Wait for the engine of a job that is to be at rest, and tell it if it cannot know."""
        if status not in ("paused", "completed") and job.intent in ("run", "pause"):
            await want(self._workspace, job, "cancel")

    async def _record(self, job: OpenJob, watch: Watch, status: JobStatus) -> None:
        if job.intent == "delete" and status in TERMINAL:
            await asyncio.to_thread(self._remove, job)
        elif status in TERMINAL:
            await self._finish(job, status)
        elif change := self._change(job, watch, status):
            settle = partial(self._workspace.jobs.settle, job.id, seen=job.status, **change)
            await asyncio.to_thread(partial(self._unless_held, job, settle) if status in AT_REST else settle)

    async def _finish(self, job: OpenJob, status: JobStatus) -> None:
        """Record a job's end, once a look sees that it is prepared; one that completed is published by then."""
        if ending := self._endings.of(job.id, status):
            end = partial(finish, self._workspace, job, status, ending)
            await asyncio.to_thread(self._unless_held, job, end)
            self._endings.forget(job.id)

    def _unless_held(self, job: OpenJob, record: Callable[[], object]) -> None:
        """Record what makes no call be made, unless an engine has begun that does not know of it."""
        with self._workspace.vacant(job.id) as is_vacant:
            if is_vacant:
                record()

    def _change(self, job: OpenJob, watch: Watch, status: JobStatus) -> Change:
        """Return what is to be recorded of a job that goes on."""
        if status == "running" != job.status:
            return {"status": status, "started_at": job.started_at or utcnow(), "note": None}
        if status != job.status:
            return {"status": status}
        if watch.waits_for_a_worker and job.note is None:
            return {"note": waiting_note(self._workspace)}
        return {}

    def _remove(self, job: OpenJob) -> None:
        """Remove a deleted job once nobody works on it."""
        if not self._endings.is_at_work(job.id):
            self._endings.forget(job.id)
            self._workspace.remove(job.id)


async def give_up(workspace: Workspace, job_id: str, error: Exception) -> None:
    """Fail a job with which one cannot go on, once its engine, if it has one, has heard that it is to stop."""
    held = False
    with suppress(OSError, AssayError):  # what is no folder holds no engine
        held = await asyncio.to_thread(workspace.is_held, job_id)
    if held:
        await asyncio.to_thread(workspace.jobs.call_off, job_id)
    else:
        await asyncio.to_thread(workspace.jobs.fail, job_id, failure_of(error))


def waiting_note(workspace: Workspace) -> str:
    """Return why a job waits that nobody has taken up."""
    return f"Waits for a worker that has room; each runs up to {workspace.settings.max_jobs} jobs at a time."


def _run_id(job: OpenJob) -> UUID | None:
    """Return the id of a job's flow run; None for none, and for one that cannot be any."""
    try:
        return UUID(job.flow_run_id) if job.flow_run_id else None
    except (ValueError, TypeError, AttributeError):
        return None


def _is_turning(job: OpenJob, report: Progress | None) -> bool:
    """Tell whether a job is about to change, so that Prefect is worth asking now."""
    if job.status in ("pausing", "resuming", "cancelling"):
        return True
    if report is None:
        return False
    return job.status in ("created", "pending") or bool(report.results_ready_at or report.failure)
