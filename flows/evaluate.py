"""The one flow: an evaluation job is a run of `evaluate`."""

import asyncio
import os
import platform
from contextlib import closing
from threading import BoundedSemaphore
from typing import Any, Protocol

from prefect import Task, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State, TaskRun
from prefect.flow_runs import asuspend_flow_run
from prefect.futures import PrefectFuture, wait
from prefect.runtime import flow_run, task_run
from prefect.states import Cancelled, Completed

from core.errors import ServiceError
from core.job import TERMINAL
from core.plan import Shard, in_flight
from core.result import Summary
from core.settings import Settings
from flows.artifacts import publish_results
from store.workspace import Workspace
from tasks.aggregate import aggregate
from tasks.calls import ShardIncomplete
from tasks.engine import Engine, Stopped
from tasks.generate import generate_shard
from tasks.judge import judge_shard
from tasks.resolve import resolve_job

RETRY_DELAYS_S = [1.0, 5.0]
"""Before the second and the last attempt at a shard."""


@flow(name="evaluate", flow_run_name="{job_id}", persist_result=False)
async def evaluate(job_id: str) -> list[Summary] | State[Any]:
    """Carry out one evaluation job: resolve, generate, judge, aggregate.

    A run of a job that has ended returns at once; one that was interrupted goes on from the
    journals. Raises AssayError if the job fails.
    """
    with closing(Workspace.open(Settings())) as workspace:
        job = workspace.jobs.get(job_id)
        if job.status in TERMINAL:
            return Completed(message=f"The job has ended before: it is {job.status}.")
        worker = f"{platform.node()}:{os.getpid()}"
        tell = get_run_logger().info
        engine = Engine(workspace, job, attempt=flow_run.run_count or 1, worker=worker, tell=tell)
        with engine.engaged(), engine.failing():
            await asyncio.to_thread(resolve_job, engine)
            await asyncio.to_thread(generate_and_judge, engine)
            if not engine.stop:
                summaries = await asyncio.to_thread(aggregate, engine)
                await publish_results(job, summaries)
                return summaries
    if engine.stop == "pause":
        await asuspend_flow_run(timeout=None)
    return Cancelled(message="Cancelled by the user.")


def generate_and_judge(engine: Engine) -> None:
    """Run the shards through both stages, as many at a time as keep the job's calls in flight.

    A shard is judged as soon as it is generated. Raises what a shard raised.
    """
    shards = engine.manifest.shards
    engine.say(f"{sum(map(len, shards))} samples in {len(shards)} shards")
    free = BoundedSemaphore(in_flight(shards, engine.parallelism))
    futures: list[PrefectFuture[Any]] = []
    for shard in shards:
        free.acquire()
        if engine.stop:
            break
        generated = generate.submit(generate_shard, engine, shard)
        judged = judge.submit(judge_shard, engine, shard, wait_for=[generated], return_state=False)
        judged.add_done_callback(lambda _: free.release())
        futures += [generated, judged]
    wait(futures)
    for future in futures:
        if future.state.is_failed() or future.state.is_crashed():
            future.result()
    if not (engine.stop or all(future.state.is_completed() for future in futures)):
        raise ServiceError("a shard ended neither in success nor in an error")


class Stage(Protocol):
    """A stage as it is carried out on one shard."""

    def __call__(self, engine: Engine, shard: Shard, *, final: bool) -> None:
        """Publish the stage's results for the shard."""


def _may_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Tell whether a shard's failure may pass: only then is it run again."""
    return isinstance(state.data, ShardIncomplete)


@task(
    retries=len(RETRY_DELAYS_S),
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_condition_fn=_may_pass,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def carry_out(stage: Stage, engine: Engine, shard: Shard) -> State[Any] | None:
    """Run a stage on a shard; the last attempt takes transient errors for what they are."""
    try:
        stage(engine, shard, final=task_run.run_count > len(RETRY_DELAYS_S))
    except Stopped:
        return Cancelled(message="The job stopped before the shard was done.")
    except ShardIncomplete:
        raise
    except Exception:
        engine.abandon()
        raise
    return None


generate = carry_out.with_options(name="generate", task_run_name="generate-{shard.index}")
judge = carry_out.with_options(name="judge", task_run_name="judge-{shard.index}")
