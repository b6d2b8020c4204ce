"""The shards of a job as Prefect carries them out: a task run for each stage of each, or one for a small job."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

from prefect import Task, allow_failure, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State, TaskRun
from prefect.exceptions import Pause, UnfinishedRun
from prefect.futures import PrefectFuture, wait
from prefect.runtime import task_run
from prefect.states import Cancelled, Completed, Failed

from core.errors import ServiceError, StorageFailed
from core.job import STAGES, Stage
from core.plan import Shard
from flows.in_hand import InHand
from tasks.calls import ShardIncomplete
from tasks.engine.calls import Stopped
from tasks.engine.engine import Engine, Visit
from tasks.generate import generate_shard
from tasks.judge import judge_shard
from tasks.shard_end import ShardEnd

SMALL: Final = 100
"""Fewer samples have one task run: each costs Prefect's server some 30 ms."""

RETRY_DELAYS_S: Final = [1.0, 5.0]
"""Before the second and the last attempt at a shard."""

PASSING: Final = (ShardIncomplete, StorageFailed)
"""What may not fail the next attempt."""

UNANSWERED: Final = "Unanswered"
"""The state of a task run whose calls had no answer; its samples are counted, and the job goes on."""


class Staged(Protocol):
    """A stage as it is carried out on one shard."""

    def __call__(self, engine: Engine, shard: Shard, *, final: bool) -> ShardEnd:
        """Publish the stage's results for the shard, and return what it came to."""


CARRIED_OUT: Final[Mapping[Stage, Staged]] = {"generate": generate_shard, "judge": judge_shard}


def generate_and_judge(engine: Engine, shards: Sequence[Shard]) -> None:
    """Run shards through both stages, as many at a time as keep the engine's calls in flight.

    A shard is judged as soon as it is generated. Raises what a shard raised.
    """
    samples = sum(map(len, shards))
    engine.log.say(f"{samples} samples in {len(shards)} shard{'' if len(shards) == 1 else 's'}")
    submit = _submit_whole if samples < SMALL else _submit_each
    futures: list[PrefectFuture[Any]] = []
    try:
        submit(engine, shards, futures)
    except Pause:  # the run was suspended in Prefect, which lets it go no further
        engine.pause()
    except BaseException:
        engine.abandon()
        raise
    finally:
        wait(futures)  # an engine has ended only once its shards have
    for future in futures:
        if future.state.is_crashed() or (future.state.is_failed() and not _has_ended(future.state)):
            future.result()
        if future.state.is_pending():  # nor a shard; or the cluster did not carry it out, and this raises why
            with suppress(UnfinishedRun, Pause):
                future.result(raise_on_failure=False)
            engine.pause()
    if not (engine.stop or all(_has_ended(future.state) for future in futures)):
        raise ServiceError("a shard ended neither in success nor in an error")


def _has_ended(state: State[Any]) -> bool:
    """Tell whether shards have passed their stages, if without an answer."""
    return state.is_completed() or state.name == UNANSWERED


def _submit_whole(engine: Engine, shards: Sequence[Shard], futures: list[PrefectFuture[Any]]) -> None:
    """Submit all shards as one."""
    future = both.submit(engine, shards, STAGES)
    futures.append(future)
    future.add_done_callback(partial(_note_passed, engine, [(stage, each) for stage in STAGES for each in shards]))


def _submit_each(engine: Engine, shards: Sequence[Shard], futures: list[PrefectFuture[Any]]) -> None:
    """Submit the shards, each once there is room for it, and note what is submitted in `futures`."""
    in_hand = InHand(engine.calls.parallelism, engine.manifest.spec.params.trials)
    for shard in shards:
        in_hand.wait_for_room()
        if engine.stop:
            break
        in_hand.add(shard)
        generated = generate.submit(engine, [shard], ["generate"])
        futures.append(generated)
        judged = judge.submit(engine, [shard], ["judge"], wait_for=[allow_failure(generated)], return_state=False)
        futures.append(judged)
        judged.add_done_callback(partial(in_hand.remove, shard))
        generated.add_done_callback(partial(_note_passed, engine, [("generate", shard)]))
        judged.add_done_callback(partial(_note_passed, engine, [("judge", shard)]))


def _note_passed(engine: Engine, work: Iterable[tuple[Stage, Shard]], _: PrefectFuture[Any]) -> None:
    """Count shards that another process has carried out."""
    for stage, shard in work:
        if engine.folder.is_finished(stage, shard):
            engine.counts.passed(stage, shard, len(shard))


def _may_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Tell whether a shard's failure may pass: only then is it run again."""
    return isinstance(state.data, PASSING)


@task(
    retries=len(RETRY_DELAYS_S),
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_condition_fn=_may_pass,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def carry_out(holder: Engine | Visit, shards: Sequence[Shard], stages: Sequence[Stage]) -> State[Any]:
    """Run shards through stages, side by side; what they have passed is left alone.

    The last attempt takes transient errors for what they are.
    """
    engine = holder.engine() if isinstance(holder, Visit) else holder
    staged = partial(_passed_through, engine, stages, final=int(task_run.run_count) > len(RETRY_DELAYS_S))
    begun = _side_by_side(engine, shards, staged)
    errors = sorted(filter(None, (each.exception() for each in begun)), key=_gravity)
    if errors and isinstance(errors[-1], Stopped):
        return Cancelled(message="The job stopped before the shard was done.")
    if errors:
        raise errors[-1]
    ends = [each.result() for each in begun]
    told = [f"{stage}: {ShardEnd.together(of_shard[stage] for of_shard in ends)}" for stage in stages]
    message = "; ".join(told).removeprefix(f"{stages[0]}: " if len(stages) == 1 else "")
    if any(end.is_unanswered for of_shard in ends for end in of_shard.values()):
        return Failed(name=UNANSWERED, message=message)
    return Completed(message=message)


generate = carry_out.with_options(name="generate", task_run_name="generate-{shards[0].index}")
judge = carry_out.with_options(name="judge", task_run_name="judge-{shards[0].index}")
both = carry_out.with_options(name="generate and judge", task_run_name="generate-and-judge")


def _side_by_side(
    engine: Engine, shards: Sequence[Shard], work: Callable[[Shard], Mapping[Stage, ShardEnd]]
) -> list[Future[Mapping[Stage, ShardEnd]]]:
    """Do the work on each shard, as soon as there is room for it; returns once all of it has ended."""
    in_hand = InHand(engine.calls.parallelism, engine.manifest.spec.params.trials)
    begun: list[Future[Mapping[Stage, ShardEnd]]] = []
    with ThreadPoolExecutor(max(1, len(shards)), thread_name_prefix="shard") as threads:
        for shard in shards:
            in_hand.wait_for_room()
            in_hand.add(shard)
            begun.append(threads.submit(work, shard))
            begun[-1].add_done_callback(partial(in_hand.remove, shard))
    return begun


def _passed_through(engine: Engine, stages: Sequence[Stage], shard: Shard, *, final: bool) -> dict[Stage, ShardEnd]:
    return {stage: _staged(stage, engine, shard, final=final) for stage in stages}


def _staged(stage: Stage, engine: Engine, shard: Shard, *, final: bool) -> ShardEnd:
    """Run a stage on a shard, unless an earlier attempt has; if it fails for good, the other shards stop."""
    if end := engine.ends.get((stage, shard)):
        return end
    try:
        end = CARRIED_OUT[stage](engine, shard, final=final)
    except Exception as error:
        if not isinstance(error, Stopped) and (final or not isinstance(error, PASSING)):
            engine.abandon()
        raise
    engine.log.say(f"{stage}-{shard.index}: {end}")
    engine.ends[stage, shard] = end
    return end


def _gravity(error: BaseException) -> int:
    """Return how much an error says of a job, of several: to stop is least, what cannot pass most."""
    return 0 if isinstance(error, Stopped) else 1 if isinstance(error, PASSING) else 2
