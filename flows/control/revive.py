"""What a job needs whose engine has died: its run is started again, unless that is of no use."""

import asyncio
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas import State
from prefect.states import Cancelled, Completed, Failed, Scheduled

from core.job import Deaths, OpenJob, Progress
from flows.control.deaths import MAX_CRASHES, after_death, had_a_chance, too_many
from flows.control.runs import set_state
from flows.control.watch import Watch
from flows.worker.wake import wake, was_stopped
from store.db.jobs import Change
from store.workspace import Workspace


async def revive(
    client: PrefectClient, workspace: Workspace, job: OpenJob, run_id: UUID, watch: Watch, report: Progress | None
) -> None:
    """Start the run of a dead engine again, unless it was done, is unwanted, or has died too often."""
    stopped = report is not None and watch.has_heard(report) and was_stopped(workspace.settings.home, report.worker)
    counts = not stopped and had_a_chance(watch, report)
    before = await asyncio.to_thread(workspace.jobs.deaths, job.id)
    extent = await asyncio.to_thread(workspace.folder(job.id).extent)
    deaths = after_death(before, extent, stopped=stopped, counts=counts)
    state, change = _sentence(job, report, deaths, _cause(deaths, stopped=stopped, counts=counts))
    watch.note_run(await set_state(client, run_id, state))
    await asyncio.to_thread(workspace.jobs.died, job.id, deaths, **change)
    if state.is_scheduled():
        wake(workspace.settings.home)


def _sentence(job: OpenJob, report: Progress | None, deaths: Deaths, cause: str) -> tuple[State, Change]:
    """Return what is to become of the run, and what is noted of the job."""
    if report and report.results_ready_at:
        return Completed(message="The engine died after its work was done."), {}
    if job.intent in ("cancel", "delete"):
        return Cancelled(message="Cancelled by the user."), {}
    if failure := too_many(deaths):
        return Failed(message=failure.message), {"failure": failure}
    note = f"{cause}; the job goes on."
    return Scheduled(name="AwaitingRetry", message=note), {"note": note}


def _cause(deaths: Deaths, *, stopped: bool, counts: bool) -> str:
    if stopped:
        return "The worker was stopped"
    return f"The worker died ({deaths.counted} of {MAX_CRASHES} times)" if counts else "The worker died"
