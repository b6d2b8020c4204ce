"""Make Prefect ready for jobs: the work pool and our deployment."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists
from prefect.utilities.callables import parameter_schema

from core.settings import Settings
from flows.evaluate import evaluate
from flows.worker import AssayWorker

JOB_DEPLOYMENT = "job-{pool}"
"""The deployment whose runs the API starts, by job id; services that share a Prefect server differ in their pools."""


@dataclass(frozen=True)
class Deployed:
    """Our deployment, and whether its pool is worked by our own worker."""

    id: UUID
    own_worker: bool


async def set_up(client: PrefectClient, settings: Settings) -> Deployed:
    """Create the work pool, unless there is one of its name, and the deployment."""
    with suppress(ObjectAlreadyExists):  # of an earlier start, or one that the user made
        await client.create_work_pool(
            WorkPoolCreate(
                name=settings.work_pool,
                type=AssayWorker.type,
                base_job_template=AssayWorker.get_default_base_job_template(),
            )
        )
    pool = await client.read_work_pool(settings.work_pool)
    deployment = await client.create_deployment(
        flow_id=await client.create_flow(evaluate),
        name=JOB_DEPLOYMENT.format(pool=settings.work_pool),
        description="One evaluation job, by its id. Started by the API.",
        work_pool_name=settings.work_pool,
        entrypoint=f"{evaluate.fn.__module__}.{evaluate.fn.__name__}",
        parameter_openapi_schema=parameter_schema(evaluate).model_dump(),
        enforce_parameter_schema=True,
        tags=["internal"],
    )
    return Deployed(deployment, own_worker=pool.type == AssayWorker.type)


def wait_for_server(timeout_s: float = 120.0) -> None:
    """Wait until the Prefect server of this process's profile answers; raises TimeoutError."""
    url = os.environ["PREFECT_API_URL"].rstrip("/") + "/health"
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError(f"no Prefect server at {url} after {timeout_s:.0f} s")
