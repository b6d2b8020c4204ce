"""Give a record to each run of our deployments that did not register itself: a late one, or one that failed at once."""

from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

from core.job import Job
from flows.form import read_form
from flows.labels import is_labelled, run_name, tags
from flows.register import register
from store.workspace import Workspace

A_FEW = 50

LOST = [
    StateType.SCHEDULED,
    StateType.PENDING,
    StateType.CANCELLING,
    StateType.CANCELLED,
    StateType.FAILED,
    StateType.CRASHED,
]
"""The states in which a run may be that never got to its first line."""


async def unregistered(client: PrefectClient, deployments: list[UUID]) -> list[FlowRun]:
    """Return some of the runs that are due and have no record, the last due first; those that have bear its labels."""
    found = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=deployments),
            expected_start_time=FlowRunFilterExpectedStartTime(before_=datetime.now(UTC)),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=LOST)),
        ),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=A_FEW,
    )
    return [run for run in found if not is_labelled(run)]


async def adopt(client: PrefectClient, workspace: Workspace, run: FlowRun) -> Job:
    """Record the job of a run, and have the run found by it."""
    asked, failure = read_form(run.parameters)
    job = register(workspace, run.id, asked, failure=failure)
    await client.update_flow_run(run.id, name=run_name(job), tags={*run.tags, *tags(job)})
    return job
