"""Start flow runs for new jobs, one after the other, the oldest first, and no more than workers soon have room for.

One queue, because Prefect's server on SQLite takes parallel creations badly; each is idempotent by
the job's id, so that one that was lost on the way is simply asked for again. The jobs wait in our own table rather
than with Prefect, where each would be looked at again and again.
"""

import asyncio
import time
from datetime import timedelta
from functools import partial
from uuid import UUID

from prefect.client.orchestration import PrefectClient

from core.errors import RecordDamaged
from core.job import OpenJob, utcnow
from flows.control.finish import whole_record
from flows.control.reconcile import Reconciler, give_up, waiting_note
from flows.control.troubles import Troubles
from flows.control.watch import QUEUED_S
from flows.labels import run_name, tags
from flows.worker.wake import listeners, wake
from store.workspace import Workspace

AHEAD = 2
"""So many times the jobs that workers run at once wait for them with Prefect, so that none is ever idle."""

ROUND_S = 0.5
"""For so long runs are started before the statuses are looked at again, however slow Prefect is."""

STEP = "dispatch"


async def dispatch(
    client: PrefectClient, workspace: Workspace, deployment: UUID, reconciler: Reconciler, troubles: Troubles
) -> None:
    """Start flow runs for the oldest of the jobs that wait for one, as far as there is room."""
    settings = workspace.settings
    workers = max(settings.workers, listeners(settings.home))
    room = AHEAD * workers * settings.max_jobs - reconciler.queued(deployment)
    if room > 0:
        waiting = await asyncio.to_thread(workspace.jobs.undispatched, room + troubles.count(STEP))
        due = [job for job in waiting if troubles.is_due(STEP, job.id)]
        begun = time.monotonic()
        for job in due[:room]:
            if time.monotonic() - begun >= ROUND_S:
                break
            work = partial(_dispatch, client, workspace, deployment, job)
            await troubles.attempt(work, STEP, job.id, give_up=partial(give_up, workspace, job.id))
    long_ago = utcnow() - timedelta(seconds=QUEUED_S)
    await asyncio.to_thread(workspace.jobs.explain, waiting_note(workspace), long_ago)


async def _dispatch(client: PrefectClient, workspace: Workspace, deployment: UUID, job: OpenJob) -> None:
    if job.damage:
        await give_up(workspace, job.id, RecordDamaged(f"The job's record is damaged: {job.damage}"))
        return
    whole = await asyncio.to_thread(whole_record, workspace, job)
    run = await client.create_flow_run_from_deployment(
        deployment,
        parameters={"job_id": job.id},
        name=run_name(whole),
        tags=tags(whole),
        idempotency_key=job.id,
    )
    await asyncio.to_thread(workspace.jobs.dispatched, job.id, str(run.id))
    wake(workspace.settings.home)
