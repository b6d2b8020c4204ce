"""Start a flow run for each new job, one after the other.

One queue, because Prefect's server on SQLite takes parallel creations badly; each is idempotent by
the job's id, so that one that was lost on the way is simply asked for again.
"""

import asyncio
from uuid import UUID

from prefect.client.orchestration import PrefectClient

from flows.register import tags
from flows.worker.wake import wake
from store.workspace import Workspace


async def dispatch(client: PrefectClient, workspace: Workspace, deployment: UUID) -> None:
    """Start flow runs for all jobs that wait for one."""
    waiting = await asyncio.to_thread(workspace.jobs.undispatched)
    for job in waiting:
        run = await client.create_flow_run_from_deployment(
            deployment,
            parameters={"job_id": job.id},
            name=job.id,
            tags=tags(job),
            idempotency_key=job.id,
        )
        await asyncio.to_thread(workspace.jobs.dispatched, job.id, str(run.id))
        wake(workspace.settings.home)
