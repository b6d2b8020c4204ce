"""Make Prefect ready for jobs: the work pool and our deployments."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate, WorkPoolCreate
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, WorkPoolFilter, WorkPoolFilterName
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectAlreadyExists

from core.settings import Settings, ending_if_misconfigured, read_settings
from flows.evaluate import evaluate
from flows.form import JOB_SCHEMA, form_schema
from flows.labels import job_deployment
from flows.worker.worker import AssayWorker

ENTRYPOINT: Final = "flows.evaluate.evaluate"

INTERNAL: Final = "internal"
"""The tag of what is not for people."""

DEFAULT_POOL: Final = "assay"


@dataclass(frozen=True)
class Form:
    """A deployment that people see; `prefect.yaml` says the same."""

    name: str
    description: str
    tags: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cron: str | None = None
    concurrency_limit: int | None = None


FORMS: Final = (
    Form(
        name="evaluation",
        description=(
            "Evaluate a stored target with a stored config. Quick run takes the demo pair, which asks no model."
        ),
        tags=("assay",),
    ),
    Form(
        name="nightly",
        description="An example of a recurring evaluation: switch its schedule on, or copy it and name your own pair.",
        tags=("assay", "nightly"),
        parameters={"name": "nightly", "target": "demo/model", "config": "demo/qa"},
        cron="0 2 * * *",
        concurrency_limit=1,
    ),
)


@dataclass(frozen=True)
class Deployed:
    """The deployment of the API's jobs, and whether its pool is worked by our own worker."""

    id: UUID
    own_worker: bool


async def set_up(client: PrefectClient, settings: Settings) -> Deployed:
    """Create the work pool, unless there is one of its name, and the deployments."""
    own_worker = await set_up_pool(client, settings.work_pool)
    flow_id = await client.create_flow(evaluate)
    deployment = await client.create_deployment(
        flow_id=flow_id,
        name=job_deployment(settings.work_pool),
        description="One evaluation job, by its id. Started by the API.",
        work_pool_name=settings.work_pool,
        entrypoint=ENTRYPOINT,
        parameter_openapi_schema=JOB_SCHEMA,
        enforce_parameter_schema=True,
        tags=[INTERNAL],
    )
    there = {each.name for each in await our_deployments(client, settings.work_pool)}
    for form in FORMS:
        name = form_name(form, settings.work_pool)
        if name not in there:  # a user's changes to one that is there stay
            await _deploy(client, form, name, flow_id, settings.work_pool)
    return Deployed(deployment, own_worker)


async def set_up_pool(client: PrefectClient, name: str) -> bool:
    """Create the work pool, unless there is one; whether it is worked by our own worker."""
    with suppress(ObjectAlreadyExists):  # of an earlier start, or one that the user made
        await client.create_work_pool(
            WorkPoolCreate(
                name=name,
                type=AssayWorker.type,
                base_job_template=AssayWorker.get_default_base_job_template(),
            )
        )
    pool = await client.read_work_pool(name)
    return pool.type == AssayWorker.type


def form_name(form: Form, pool: str) -> str:
    """Return the name of a deployment that people see; services that share a Prefect server differ in their pools."""
    return form.name if pool == DEFAULT_POOL else f"{form.name}-{pool}"


async def our_deployments(client: PrefectClient, pool: str) -> list[DeploymentResponse]:
    """Return the deployments of the flow in the pool that people see, whoever made them."""
    found = await client.read_deployments(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[evaluate.name])),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
    )
    return [each for each in found if INTERNAL not in each.tags]


async def close_form(client: PrefectClient, deployment: DeploymentResponse) -> None:
    """Have a deployment refuse what its form has no field for, such as a key.

    `prefect deploy` makes it with a form that lets anything through beside its fields.
    """
    schema = form_schema(evaluate)
    if deployment.parameter_openapi_schema != schema or not deployment.enforce_parameter_schema:
        change = DeploymentUpdate(parameter_openapi_schema=schema, enforce_parameter_schema=True)
        await client.update_deployment(deployment.id, change)


async def _deploy(client: PrefectClient, form: Form, name: str, flow_id: UUID, pool: str) -> None:
    crons = [CronSchedule(cron=form.cron, timezone="UTC")] if form.cron else []
    await client.create_deployment(
        flow_id=flow_id,
        name=name,
        description=form.description,
        work_pool_name=pool,
        entrypoint=ENTRYPOINT,
        parameters=dict(form.parameters),
        parameter_openapi_schema=form_schema(evaluate),
        enforce_parameter_schema=True,
        tags=list(form.tags),
        schedules=[DeploymentScheduleCreate(schedule=cron, active=False) for cron in crons],
        concurrency_limit=form.concurrency_limit,
        concurrency_options=ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.ENQUEUE),
    )


def wait_for_server(timeout_s: float = 120.0, *, stopped: Callable[[], bool] = lambda: False) -> None:
    """Wait until the Prefect server of this process's profile answers; raises TimeoutError, at once if `stopped`."""
    url = os.environ["PREFECT_API_URL"].rstrip("/") + "/health"
    deadline = time.monotonic() + timeout_s
    with httpx.Client(timeout=2) as client:  # one: each reads the public certificates, for 25 ms
        while time.monotonic() < deadline and not stopped():
            with suppress(httpx.TransportError):
                if client.get(url).is_success:
                    return
            time.sleep(0.1)
    raise TimeoutError(f"no Prefect server at {url} after {timeout_s:.0f} s")


async def make_pool() -> None:
    """Create the work pool on the Prefect server of this process's profile, as `prefect deploy` needs it."""
    async with get_client() as client:
        await set_up_pool(client, read_settings().work_pool)


if __name__ == "__main__":
    with ending_if_misconfigured():
        asyncio.run(make_pool())
