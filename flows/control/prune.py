"""What goes by itself: jobs that the settings do not keep, and of jobs that are gone the copies and runs in Prefect."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterTags
from prefect.exceptions import ObjectNotFound

from core.job import utcnow
from flows.control.runs import BATCH
from flows.control.troubles import Troubles
from flows.labels import job_tag
from store.copies import drop_copies
from store.prune import Surplus, find_surplus
from store.workspace import Workspace

INTERVAL_S: Final = 3600.0
A_FEW: Final = 5
"""So many at a time: the statuses of jobs are not to be late for what is old."""

STEP: Final = "deleting the flow run"

Forget = Callable[[], Awaitable[object]]


class Pruner:
    """Looks once an hour for jobs that the settings do not keep, and marks a few of them at a time."""

    def __init__(self, workspace: Workspace) -> None:
        """Look for the first time when it is asked to."""
        self._workspace = workspace
        self._looked_at = float("-inf")
        self._surplus = Surplus((), ())

    async def prune_some(self) -> None:
        """Mark the next few; the reconciler removes them. Their uploads go last; copies of what is gone go first."""
        await asyncio.to_thread(self._prune_some)

    def _prune_some(self) -> None:
        rule, retention = self._workspace.settings.retention, self._workspace.retention
        if time.monotonic() - self._looked_at >= INTERVAL_S:
            self._looked_at = time.monotonic()
            drop_copies(self._workspace)
            if rule:
                self._surplus = find_surplus(self._workspace, rule, utcnow())
        jobs, uploads = self._surplus.jobs, self._surplus.uploads
        if jobs:
            retention.condemn([job.id for job in jobs[:A_FEW]])
            self._surplus = Surplus(jobs[A_FEW:], uploads)
        elif uploads:
            retention.drop_unnamed(uploads)
            self._surplus = Surplus((), ())


async def delete_runs(client: PrefectClient, workspace: Workspace, troubles: Troubles) -> None:
    """Delete a few of the flow runs of jobs that are gone, with what these have left on the Artifacts page."""
    gone = await asyncio.to_thread(workspace.retention.gone_runs, A_FEW + troubles.count(STEP))
    for run_id, job_id in gone.items():
        forget = partial(asyncio.to_thread, workspace.retention.forget_run, run_id)
        delete = partial(_delete, client, run_id, job_id, forget)
        await troubles.attempt(delete, STEP, run_id, give_up=partial(_give_up, forget))


async def _delete(client: PrefectClient, run_id: str, job_id: str, forget: Forget) -> None:
    """Delete the run of a job, and those of its blocks, which bear its tag."""
    tagged = FlowRunFilter(tags=FlowRunFilterTags(all_=[job_tag(job_id)]))
    found = {run.id for run in await client.read_flow_runs(flow_run_filter=tagged, limit=BATCH)}
    with suppress(ValueError):  # no run has such an id
        found.add(UUID(run_id))
    for each in found:
        with suppress(ObjectNotFound):
            of_run = FlowRunFilter(id=FlowRunFilterId(any_=[each]))
            for artifact in await client.read_artifacts(flow_run_filter=of_run):
                await client.delete_artifact(artifact.id)
            await client.delete_flow_run(each)
    await forget()


async def _give_up(forget: Forget, _: Exception) -> None:
    await forget()
