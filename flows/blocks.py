"""A big job over several workers: blocks of its shards, each carried out by a flow run of its own.

The run that carries out the job starts the others, in the same work pool, and works on a block itself wherever none has
been taken up: so it needs no second worker, and learns itself of an error that ends a job. What is done is in the job's
folder; a lock and a lease of each block say whether an engine is at it, whatever became of its process or of its run.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas import State
from prefect.deployments.flow_runs import arun_deployment
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed, Scheduled

from core.errors import AssayError, StorageFailed
from core.job import Job
from core.plan import Share
from flows.control.runs import Run, read_runs, set_state
from flows.control.status import RunState
from flows.labels import job_deployment, run_name, tags
from flows.shards import generate_and_judge
from flows.worker.wake import wake, worker_name
from store.workspace import Workspace
from tasks.engine.calls import own_bounds
from tasks.engine.engine import Engine

LOOK_S: Final = 1.0
LEFT_LOOK_S: Final = 0.1
PATIENCE_S: Final[Mapping[RunState, float]] = {"pending": 30.0, "running": 5.0, "crashed": 5.0}
"""So long nobody works on a block whose run is in a state, before that is started again; else that is done at once."""

MOST_STARTS: Final = 3
"""So often a block's run is started again; then the job's own run sees what is wrong with it."""

End = Literal["done", "stopped", "another's", "superseded"]

WAITING: Final[frozenset[RunState]] = frozenset({"none", "scheduled", "gone", "failed"})
"""The states of a run that is not started again: a worker will take it up, or it has failed."""

FREE: Final[frozenset[RunState]] = WAITING | {"cancelled", "completed"}
"""The states of a run whose block the job's own run may work on."""


def blocks_of(engine: Engine) -> int:
    """Return in how many blocks a job is carried out: of each bound on it every block has a share."""
    settings, samples = engine.workspace.settings, sum(map(len, engine.manifest.shards))
    if settings.task_runner != "threads":  # the processes of a cluster divide the job already
        return 1
    bounds = (engine.calls.parallelism, *own_bounds(engine.spec).values())
    return max(1, min(settings.blocks, samples // settings.block_samples, *bounds))


def carry_out_block_run(workspace: Workspace, job: Job, index: int) -> State[Any] | None:
    """Carry out a block in a run of its own; returns how that ended, or None if the run is another engine's by now."""
    try:
        end = carry_out_block(workspace, job, index, get_run_logger().info)
    except AssayError as error:  # the job's own run meets it, too, and fails the job
        return Failed(message=error.message)
    if end == "superseded":
        return None
    if end == "stopped":
        return Cancelled(message="The job stopped before the block was done.")
    return Completed(message="The block is done." if end == "done" else "Another run carries out this block.")


def carry_out_block(workspace: Workspace, job: Job, index: int, tell: Callable[[str], object]) -> End:
    """Carry out a block unless another engine does. Raises as the stages do."""
    manifest = workspace.folder(job.id).read_manifest()
    cut = manifest.cut if manifest else ((),)
    share, attempt = Share(index, len(cut)), flow_run.run_count or 1
    engine = Engine(workspace, job, attempt=attempt, worker=worker_name(), tell=tell, share=share)
    with engine.joined(index) as is_ours:
        if not is_ours:
            return "another's"
        with engine.failing():
            generate_and_judge(engine, cut[index])
        if engine.stop == "superseded":
            return "superseded"
        return "stopped" if engine.stop else "done"


async def carry_out_blocks(engine: Engine) -> None:
    """Have all blocks of a job carried out; returns once they are done, or no engine is at them any more."""
    async with get_client() as client:
        blocks = Blocks(engine, client)
        try:
            while not engine.stop:
                with suppress(StorageFailed):  # what is kept is looked at again
                    await asyncio.to_thread(blocks.look)
                if not blocks.left:
                    break
                await blocks.work()
                with suppress(httpx.HTTPError, PrefectException):  # Prefect is asked again
                    await blocks.look_after()
                await asyncio.sleep(LOOK_S)
        except BaseException:
            engine.abandon()
            raise
        finally:
            await blocks.end()


@dataclass
class Blocks:
    """The blocks of a job in the hands of the run that carries it out."""

    engine: Engine
    client: PrefectClient
    left: Sequence[int] = field(init=False)
    """Those that are not done."""
    at_work: frozenset[int] = frozenset()
    """Those that an engine is at."""
    runs: dict[int, UUID] = field(default_factory=dict)
    states: dict[int, RunState] = field(default_factory=dict)
    idle_since: dict[int, float] = field(default_factory=dict)
    starts: Counter[int] = field(default_factory=Counter)
    own: "asyncio.Task[End] | None" = None

    def __post_init__(self) -> None:
        """Begin with none done."""
        self.left = range(len(self.engine.manifest.cut))

    def look(self) -> None:
        """See which blocks are not done, and which an engine is at, and count the shards that are done."""
        engine = self.engine
        engine.counts.note_finished()
        judged = engine.folder.finished("judge")
        done = [judged.issuperset(shard.index for shard in shards) for shards in engine.manifest.cut]
        self.left = [index for index, is_done in enumerate(done) if not is_done]
        self.at_work = engine.workspace.blocks(engine.job.id)

    async def work(self) -> None:
        """Work on a block that nobody has begun, the last first: workers take up the first. Raises what that raised."""
        if self.own is not None and self.own.done():
            self.own.result()
            self.own = None
        if self.own is None:
            free = (index for index in reversed(self.left) if self._is_free(index))
            if (index := next(free, None)) is not None:
                engine = self.engine
                begun = asyncio.to_thread(carry_out_block, engine.workspace, engine.job, index, engine.log.tell)
                self.own = asyncio.create_task(begun)

    def _is_free(self, index: int) -> bool:
        may_be = self.states.get(index, "none") in FREE or self.starts[index] >= MOST_STARTS
        return may_be and index not in self.at_work

    async def look_after(self) -> None:
        """Start the runs of blocks: those that have none, and those whose engine has died or was stopped."""
        for index in self.left:
            if index not in self.runs:
                self.runs[index] = await self._start(index)
        found = await read_runs(self.client, [self.runs[index] for index in self.left])
        for index in self.left:
            run = found.runs.get(self.runs[index])
            self.states[index] = run.state if run else "gone"
            if self._is_dead(index, run, time.monotonic()) and self.starts[index] < MOST_STARTS:
                await self._start_again(index)

    async def _start(self, index: int) -> UUID:
        engine = self.engine
        job, pool = engine.job, engine.workspace.settings.work_pool
        run = await arun_deployment(
            f"evaluate/{job_deployment(pool)}",
            client=self.client,
            parameters={"job_id": job.id, "block": index},
            flow_run_name=f"{run_name(job)}-block-{index}",
            tags=[*tags(job), "block"],
            idempotency_key=f"{job.id}-block-{index}",
            timeout=0,
            as_subflow=False,
        )
        wake(engine.workspace.settings.home)
        return run.id

    def _is_dead(self, index: int, run: Run | None, now: float) -> bool:
        """Tell whether nobody has worked on a block for long, though its run is no longer waiting."""
        if run is None or run.state in WAITING or index in self.at_work:
            self.idle_since.pop(index, None)
            return False
        idle_s = now - self.idle_since.setdefault(index, now)
        return idle_s >= PATIENCE_S.get(run.state, 0.0)

    async def _start_again(self, index: int) -> None:
        self.starts[index] += 1
        self.idle_since.pop(index, None)
        self.engine.log.say(f"block {index} is carried on by another engine")
        self.states[index] = await set_state(self.client, self.runs[index], Scheduled(name="AwaitingRetry"))
        wake(self.engine.workspace.settings.home)

    async def end(self) -> None:
        """Wait until no engine is at a block."""
        if self.own is not None:
            with suppress(Exception):  # it was raised, or another was before it
                await self.own
        if self.engine.stop in ("pause", "cancel"):  # which the others hear, too
            await asyncio.to_thread(self._wait_until_left)
        with suppress(StorageFailed):  # it is counted again when the job goes on
            await asyncio.to_thread(self.engine.counts.note_finished)

    def _wait_until_left(self) -> None:
        self.engine.folder.lock.wait_until_left()
        self.at_work = frozenset(self.left)
        while self.at_work:
            with suppress(StorageFailed):
                self.at_work = self.engine.workspace.blocks(self.engine.job.id)
            time.sleep(LEFT_LOOK_S)
