"""Keep the job records in step with their flow runs; alone writes a terminal status.

What was done is in the journals and results. Prefect says what runs. A lock on the job's folder
says whether an engine is at work, whatever became of its process.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas import State
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.states import Cancelled, Completed, Failed, Scheduled

from core.errors import Conflict, NotFound
from core.job import TERMINAL, Failure, Intent, JobStatus, OpenJob, Progress, utcnow
from flows.control.finish import finish
from flows.control.publish import Publisher
from flows.control.status import RunState, next_status, run_state
from flows.control.watch import Watch
from flows.worker.wake import wake, was_stopped
from store.db.jobs import CAN_PAUSE, Change
from store.workspace import Workspace

MAX_CRASHES = 3
POLL_INTERVAL_S = 2.0
BATCH = 200

AT_REST: Final[frozenset[JobStatus]] = TERMINAL | {"paused"}
"""The statuses in which no call is made: they are recorded while no engine holds the job's folder or can come to."""


class Reconciler:
    """Watches the open jobs of a workspace."""

    def __init__(self, client: PrefectClient, workspace: Workspace, publisher: Publisher) -> None:
        """Begin with no memory: what is remembered may be lost at any time."""
        self._client = client
        self._workspace = workspace
        self._publisher = publisher
        self._watches: dict[str, Watch] = {}
        self._polled_at = float("-inf")

    async def look(self) -> None:
        """Look once at every open job; at Prefect only if it is time, or a job may have changed."""
        jobs = await asyncio.to_thread(self._workspace.jobs.open)
        reports = await asyncio.to_thread(self._workspace.jobs.progress, [job.id for job in jobs])
        self._watches = {job.id: self._watches.get(job.id) or Watch() for job in jobs}
        for job in jobs:
            self._watches[job.id].note_report(reports.get(job.id))
        if time.monotonic() - self._polled_at >= POLL_INTERVAL_S:
            await self._poll(jobs)
            self._polled_at = time.monotonic()
        else:
            await self._poll([job for job in jobs if _is_turning(job, reports.get(job.id))])
        for job in jobs:
            if job.flow_run_id is None or self._watches[job.id].run != "none":
                await self._settle(job, self._watches[job.id], reports.get(job.id))

    async def _poll(self, jobs: Sequence[OpenJob]) -> None:
        """Read the states of the jobs' flow runs, one request for each `BATCH`."""
        runs = {UUID(job.flow_run_id): job.id for job in jobs if job.flow_run_id}
        ids = list(runs)
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            found = await self._client.read_flow_runs(
                flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=batch)), limit=BATCH
            )
            states = {run.id: _state(run.state) for run in found if run.state}
            for flow_run_id, job_id in ((each, runs[each]) for each in batch):
                # A run that is not found while an engine is at work is known to another Prefect server.
                if flow_run_id in states or not self._workspace.folder(job_id).is_held():
                    self._watches[job_id].note_run(states.get(flow_run_id, "gone"))

    async def _settle(self, job: OpenJob, watch: Watch, report: Progress | None) -> None:
        """Do in Prefect what the user wants and what a dead engine needs, then record the status."""
        folder = self._workspace.folder(job.id)
        if await self._carry_out_intent(job, watch):
            return  # the next look sees what came of it
        if watch.engine_is_dead(report) and not await asyncio.to_thread(folder.is_held):
            await self._bury(job, watch, report)
            return
        status = next_status(job.status, watch.run, job.intent)
        if status in AT_REST and status != job.status and await asyncio.to_thread(folder.is_held):
            await self._have_stopped(job, status)
        elif job.intent == "delete" and status in TERMINAL:
            await asyncio.to_thread(self._remove, job)
        elif status in TERMINAL:
            await self._finish(job, status)
        elif change := self._change(job, watch, status):
            await asyncio.to_thread(self._settle_at_rest if status in AT_REST else self._record, job, change)

    async def _have_stopped(self, job: OpenJob, status: JobStatus) -> None:
        """Wait for the engine of a job that is to be at rest, and tell it if it cannot know."""
        if status not in ("paused", "completed") and job.intent in ("run", "pause"):
            await self._want(job, "cancel")

    def _record(self, job: OpenJob, change: Change) -> None:
        self._workspace.jobs.settle(job.id, seen=job.status, **change)

    def _settle_at_rest(self, job: OpenJob, change: Change) -> None:
        """Record a status in which no call is made, unless an engine has begun that does not know of it."""
        with self._workspace.folder(job.id).vacant() as is_vacant:
            if is_vacant:
                self._record(job, change)

    async def _finish(self, job: OpenJob, status: JobStatus) -> None:
        """Record that a job has ended; one that completed is published first, which later looks see the end of."""
        unpublished = None
        if status == "completed":
            if not self._publisher.is_done(job.id):
                return
            unpublished = self._publisher.take(job.id)
        await asyncio.to_thread(self._end, job, status, unpublished)

    def _end(self, job: OpenJob, status: JobStatus, unpublished: Failure | None) -> None:
        with self._workspace.folder(job.id).vacant() as is_vacant:
            if is_vacant:
                finish(self._workspace, job, status, unpublished=unpublished)

    def _change(self, job: OpenJob, watch: Watch, status: JobStatus) -> Change:
        """Return what is to be recorded of a job that goes on."""
        if status == "running" != job.status:
            return {"status": status, "started_at": job.started_at or utcnow(), "note": None}
        if status != job.status:
            return {"status": status}
        if job.crashes and watch.has_advanced:  # only deaths that keep a job from coming further count
            return {"crashes": 0}
        if watch.waits_for_a_worker and job.note is None:
            most = self._workspace.settings.max_jobs
            return {"note": f"Waits for a worker that has room; each runs up to {most} jobs at a time."}
        return {}

    async def _carry_out_intent(self, job: OpenJob, watch: Watch) -> bool:
        """Tell Prefect what the user wants, or heed what was wanted there; whether anything was done."""
        match job.intent, watch.run:
            case (("cancel" | "delete"), ("scheduled" | "pending" | "paused" | "suspended" | "resuming")):
                await self._set(job, watch, Cancelled(message="Cancelled by the user."))
            case (("run" | "pause"), "cancelling"):
                await self._want(job, "cancel")
            case "pause", "resuming" if job.status in ("pausing", "paused") and not watch.resumed:
                await self._want(job, "run")
                wake(self._workspace.settings.home)
            case "run", ("paused" | "suspended") if job.status == "resuming" or watch.run == "suspended":
                assert job.flow_run_id is not None
                await self._client.resume_flow_run(UUID(job.flow_run_id))
                watch.resumed = True
                wake(self._workspace.settings.home)
            case "run", "paused" if job.status in CAN_PAUSE:
                await self._want(job, "pause")
            case _:
                return False
        return True

    async def _want(self, job: OpenJob, intent: Intent) -> None:
        """Want what was wanted in Prefect, unless the user has just wanted something else."""
        with suppress(Conflict, NotFound):
            await asyncio.to_thread(partial(self._workspace.jobs.want, job.id, intent, seen=job.status))

    async def _bury(self, job: OpenJob, watch: Watch, report: Progress | None) -> None:
        """Start the run of a dead engine again, unless it was done, is unwanted, or has died too often."""
        stopped = report is not None and was_stopped(self._workspace.settings.home, report.worker)
        watch.note_death(await asyncio.to_thread(self._workspace.folder(job.id).extent))
        before = 0 if watch.has_advanced else job.crashes  # only deaths that keep a job from coming further count
        crashes = before if stopped else before + 1
        change: Change = {"crashes": crashes}
        watch.has_advanced = False
        if report and report.results_ready_at:
            await self._set(job, watch, Completed(message="The engine died after its work was done."))
        elif job.intent in ("cancel", "delete"):
            await self._set(job, watch, Cancelled(message="Cancelled by the user."))
        elif crashes > MAX_CRASHES:
            message = f"The worker died {crashes} times while at this job, which came no further."
            change["failure"] = Failure(blame="service", code="crashed", message=message)
            await self._set(job, watch, Failed(message=message))
        else:
            why = "The worker was stopped" if stopped else f"The worker died ({crashes} of {MAX_CRASHES} times)"
            change["note"] = f"{why}; the job goes on."
            await self._set(job, watch, Scheduled(name="AwaitingRetry", message=change["note"]))
            wake(self._workspace.settings.home)
        await asyncio.to_thread(self._workspace.jobs.settle, job.id, **change)

    async def _set(self, job: OpenJob, watch: Watch, state: State) -> None:
        assert job.flow_run_id is not None
        await self._client.set_flow_run_state(UUID(job.flow_run_id), state, force=True)
        watch.note_run(_state(state))

    def _remove(self, job: OpenJob) -> None:
        """Remove a deleted job; its files first, so that a record points at what is left to do."""
        folder = self._workspace.folder(job.id)
        with folder.vacant() as is_vacant:
            if not is_vacant or self._publisher.is_at_work(job.id):
                return
            folder.remove()
            self._workspace.jobs.remove(job.id)


def _state(state: State) -> RunState:
    return run_state(state.type.value, state.name or "", state.state_details.pause_key)


def _is_turning(job: OpenJob, report: Progress | None) -> bool:
    """Tell whether a job is about to change, so that Prefect is worth asking now."""
    if job.status in ("pausing", "resuming", "cancelling"):
        return True
    if report is None:
        return False
    return job.status in ("created", "pending") or bool(report.results_ready_at or report.failure)
