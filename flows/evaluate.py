"""The one flow: an evaluation job is a run of `evaluate`."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from typing import Any, NoReturn, TypeVar
from uuid import UUID, uuid4

import httpx
from prefect import Flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas import State
from prefect.exceptions import Pause, PrefectException
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled, Completed, Failed, Suspended
from pydantic.json_schema import SkipJsonSchema

from core.errors import AssayError, Conflict, SpecInvalid, StorageFailed
from core.job import TERMINAL, Job, job_id_of, utcnow
from core.result import Summary
from core.settings import read_settings
from core.spec import EvaluationSpec
from flows.artifacts import publish_failure, publish_results
from flows.blocks import blocks_of, carry_out_block_run, carry_out_blocks
from flows.control.finish import settled
from flows.control.status import OWN_PAUSE
from flows.form import (
    DEMO_CONFIG,
    DEMO_TARGET,
    NO_SPEC,
    Asked,
    JobName,
    Parallelism,
    Project,
    SampleLimit,
    SpecFile,
    StoredConfig,
    StoredTarget,
)
from flows.former import held_against_former, tell
from flows.labels import run_name, tags
from flows.page import Findings
from flows.register import completed, register
from flows.runner import RUNNER_OF_SETTINGS
from flows.shards import generate_and_judge
from flows.spec_file import UNBOUNDED, FileBounds
from flows.worker.wake import worker_name
from store.results.usage import usage_by_role
from store.workspace import Workspace
from tasks.aggregate import aggregate
from tasks.engine.calls import Stopped
from tasks.engine.engine import Engine
from tasks.engine.report import STORAGE_DELAYS_S
from tasks.resolve import resolve_job
from tasks.samples.worst import worst_samples

T = TypeVar("T")

MOST_SHOWN = 5
"""Of a job's worst samples."""


class EvaluationFlow(Flow[..., Any]):
    """A flow whose `spec` is no parameter to Prefect, which would keep it before it is checked, with any key in it."""

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return what Prefect keeps of a run's parameters."""
        return super().serialize_parameters({name: value for name, value in parameters.items() if name != "spec"})


@partial(
    EvaluationFlow,
    name="evaluate",
    persist_result=False,
    result_storage=Path(gettempdir()),  # nothing is put there, but Prefect asks its server where to, twice a run
    task_runner=RUNNER_OF_SETTINGS,
)
async def evaluate(  # noqa: PLR0913 - the fields of a form
    target: StoredTarget = DEMO_TARGET,
    config: StoredConfig = DEMO_CONFIG,
    name: JobName = None,
    project: Project = None,
    limit_samples: SampleLimit = None,
    parallelism: Parallelism = None,
    spec_file: SpecFile = None,
    *,
    spec: SkipJsonSchema[EvaluationSpec | None] = None,
    job_id: SkipJsonSchema[str | None] = None,
    block: SkipJsonSchema[int | None] = None,
) -> list[Summary] | State[Any]:
    """Carry out one evaluation job: resolve, generate, judge, aggregate.

    A run that is started for no job registers its own. One of a job that has ended stays what that came to;
    one that was interrupted goes on from the journals. A job that fails fails its run with the reason; called directly,
    it raises that as AssayError.

    Args:
        target: What is evaluated: the namespace/name of a stored target.
        config: What it is asked and how it is graded: the namespace/name of a stored config.
        name: What the job is called, such as nightly. A name that is taken gets the end of the job's id.
        project: The project that the job belongs to, such as assistant.
        limit_samples: At most so many samples of each task, such as 100; all without it.
        parallelism: Requests at a time, such as 16; as the config says without it.
        spec_file: A YAML or JSON file on the worker's disk, such as /srv/evals/qa.yaml, with a whole specification in
            the place of target and config, below one of ASSAY_SPEC_FOLDERS. Keys are named in it by the variables that
            hold them, env:NAME, as far as ASSAY_KEY_VARIABLES lists these.
        spec: A specification, where the flow is called directly.
        job_id: The job to carry out, where there is one already.
        block: The block of its shards to carry out, for the run that carries out the job.
    """
    on_its_own = deployment.id is None
    if spec is not None and not on_its_own:
        raise SpecInvalid(NO_SPEC)
    with closing(Workspace.open(read_settings(), migrating=on_its_own)) as workspace:
        if job_id is None:
            asked = Asked(
                target=target,
                config=config,
                name=name,
                project=project,
                limit_samples=limit_samples,
                parallelism=parallelism,
                spec_file=spec_file,
            )
            job = register(workspace, UUID(flow_run.id), asked, spec=spec)
        else:
            job = workspace.jobs.get(job_id)
        if job.status in TERMINAL:
            return as_it_ended(job)
        if block is not None:
            ended = await asyncio.to_thread(carry_out_block_run, workspace, job, block)
            if ended is None:
                await leave()
            return ended
        try:
            with settled(workspace, job) if on_its_own else nullcontext():
                return await carry_out_job(workspace, job)
        except AssayError as error:  # it is the job's, and told in a sentence: no trace of ours says more
            get_run_logger().error(error.message)
            with suppress(httpx.HTTPError, PrefectException):  # the run's state says it, too
                await publish_failure(job, error)
            return Failed(message=error.message, data=error)


def as_it_ended(job: Job) -> State[Any]:
    """Return the state of a run that is retried in Prefect after its job has ended: it stays what the job is."""
    message = f"The job has ended before: it is {job.status}."
    match job.status:
        case "completed":
            return Completed(message=message)
        case "cancelled":
            return Cancelled(message=message)
        case _:
            why = f" {job.failure.message}." if job.failure else ""
            return Failed(
                message=f"{message}{why} `assay retry {job.id}` makes again what failed, in a job of its own."
            )


async def carry_out_job(workspace: Workspace, job: Job) -> list[Summary] | State[Any]:
    """Carry out a job's stages; returns its summaries, or that it was cancelled."""
    if job.status == "paused" and job.intent == "pause":  # and yet its run was started
        job = await resumed(workspace, job)
    attempt, worker = flow_run.run_count or 1, worker_name()
    bounds = UNBOUNDED if deployment.id is None else FileBounds.of_deployments(workspace.settings)
    try:
        job = await completed(workspace, job, attempt=attempt, worker=worker, bounds=bounds)
    finally:
        if job.id == job_id_of(UUID(flow_run.id)):
            await label_run(job)
    if job.spec is None:
        return Cancelled(message="Cancelled by the user.")
    began_at = job.started_at or utcnow()
    engine = Engine(workspace, job, attempt=attempt, worker=worker, tell=get_run_logger().info)
    with engine.engaged(), engine.failing(), suppress(Stopped):
        await patiently(resolve_job, engine)
        if engine.settle_blocks(blocks_of(engine)) <= 1 or deployment.id is None:
            await asyncio.to_thread(generate_and_judge, engine, engine.manifest.shards)
        else:
            await carry_out_blocks(engine)
        if not engine.stop:
            summaries = await patiently(aggregate, engine)
            await publish_results(await asyncio.to_thread(findings, engine, summaries, began_at))
            return summaries
    if engine.stop == "superseded":
        await leave()
    if engine.stop == "pause" and deployment.id is not None:
        await suspend()
    return Cancelled(message="Cancelled by the user.")


def findings(engine: Engine, summaries: Sequence[Summary], began_at: datetime) -> Findings:
    """Return what there is to tell of a job that is done; one from Prefect is held against the one before it."""
    job, folder, compared = engine.job, engine.folder, None
    if job.id == job_id_of(UUID(flow_run.id)):
        try:
            compared = held_against_former(engine.workspace, job)
        except AssayError as error:
            engine.log.say(f"It was not compared with the job before it: {error.message}")
        if compared:
            engine.log.say(f"{compared.verdict} against {compared.former.name}")
            tell(compared)
    return Findings(
        job=job,
        summaries=summaries,
        manifest=engine.manifest,
        seconds=(utcnow() - began_at).total_seconds(),
        url=f"{engine.workspace.settings.url}/jobs/{job.id}",
        tokens=usage_by_role(engine.report.usage or ()),
        worst=worst_samples(folder, engine.manifest, summaries, MOST_SHOWN),
        compared=compared,
    )


async def patiently(stage: Callable[[Engine], T], engine: Engine) -> T:
    """Carry out a stage of the whole job, again where what it wrote could not be kept."""
    for delay_s in STORAGE_DELAYS_S:
        try:
            return await asyncio.to_thread(stage, engine)
        except StorageFailed as error:
            engine.log.say(f"{error.message}; it is tried again in {delay_s:g} s")
        await asyncio.sleep(delay_s)
    return await asyncio.to_thread(stage, engine)


async def resumed(workspace: Workspace, job: Job) -> Job:
    """Have a paused job go on whose run was resumed in Prefect; one that was suspended as it began is left."""
    async with get_client() as client:
        run = await client.read_flow_run(UUID(flow_run.id))
    if run.state and run.state.is_paused():
        raise Pause(state=run.state)
    with suppress(Conflict):  # the user has wanted something since
        return workspace.jobs.want(job.id, "run", seen="paused")
    return workspace.jobs.get(job.id)


async def suspend() -> NoReturn:
    """End this thread of the run with the run suspended, or as it is if somebody has set it aside already.

    Whatever became of it in the meantime, that it was resumed too, is no failure of the job: where Prefect cannot be
    told, the run is taken for one whose worker has died, and comes here again.
    """
    state: State[Any] = Suspended(pause_key=OWN_PAUSE + uuid4().hex)  # Prefect takes each key once in a run's life
    async with get_client() as client:
        try:
            answer = await client.set_flow_run_state(UUID(flow_run.id), state)
            state = answer.state or state
        except (httpx.HTTPError, PrefectException) as error:
            get_run_logger().warning("Prefect could not be told that the run is suspended: %s", error)
    raise Pause(state=state)


async def leave() -> NoReturn:
    """End this thread of the run without a word to Prefect: the run is another engine's, which tells of it."""
    async with get_client() as client:
        run = await client.read_flow_run(UUID(flow_run.id))
    raise Pause(state=run.state)


async def label_run(job: Job) -> None:
    """Have the flow run found in Prefect by what its job turned out to be about."""
    async with get_client() as client:
        await client.update_flow_run(UUID(flow_run.id), name=run_name(job), tags={*flow_run.tags, *tags(job)})
