"""What the user wants of a job, told to Prefect; and what was wanted there, noted here."""

import asyncio
from contextlib import suppress
from functools import partial
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.states import Cancelled

from core.errors import Conflict, NotFound
from core.job import Intent, OpenJob
from core.steering import CAN_PAUSE
from flows.control.runs import set_state
from flows.control.watch import Watch
from flows.worker.wake import wake
from store.workspace import Workspace


async def carry_out_intent(
    client: PrefectClient, workspace: Workspace, job: OpenJob, run_id: UUID | None, watch: Watch
) -> bool:
    """Tell Prefect what the user wants, or heed what was wanted there; whether anything was done."""
    match job.intent, watch.run:
        case (("cancel" | "delete"), ("scheduled" | "pending" | "paused" | "suspended" | "resuming")) if run_id:
            watch.note_run(await set_state(client, run_id, Cancelled(message="Cancelled by the user.")))
        case (("run" | "pause"), "cancelling"):
            await want(workspace, job, "cancel")
        case "pause", "resuming" if job.status in ("pausing", "paused") and not watch.resumed:
            await want(workspace, job, "run")
            wake(workspace.settings.home)
        case "run", ("paused" | "suspended") if run_id and (job.status == "resuming" or watch.run == "suspended"):
            await client.resume_flow_run(run_id)
            watch.resumed = True
            wake(workspace.settings.home)
        case "run", "paused" if job.status in CAN_PAUSE:
            await want(workspace, job, "pause")
        case _:
            return False
    return True


async def want(workspace: Workspace, job: OpenJob, intent: Intent) -> None:
    """Want what was wanted in Prefect, unless the user has just wanted something else."""
    with suppress(Conflict, NotFound):
        await asyncio.to_thread(partial(workspace.jobs.want, job.id, intent, seen=job.status))
