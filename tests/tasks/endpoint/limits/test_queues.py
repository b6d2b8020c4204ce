import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.result import Role
from tasks.endpoint.limits.ledger import Bounds
from tasks.endpoint.limits.queues import JobLimit, JobStopped, ModelLimit, PauseTooLong, Waiting


class Hall:
    """Calls that note when they start, and end when they are told to."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}

    def call(
        self, name: str, job: JobLimit, model: ModelLimit, role: Role = "target", turn: Waiting | None = None
    ) -> "asyncio.Task[None]":
        self._ends[name] = asyncio.Event()
        return asyncio.create_task(self._call(name, job, model, turn or Waiting(role, window_s=60.0)))

    async def _call(self, name: str, job: JobLimit, model: ModelLimit, turn: Waiting) -> None:
        async with model.entered(job, turn):
            self.started.append(name)
            await self._ends[name].wait()

    async def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set()
            await settle()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def play(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, timeout=60.0))


def test_a_lane_makes_as_many_calls_at_a_time_as_it_may() -> None:
    async def scene() -> None:
        hall, job, model = Hall(), JobLimit(2), ModelLimit()
        tasks = [hall.call(name, job, model) for name in "abc"]
        await settle()
        assert hall.started == ["a", "b"]
        await hall.end("b")
        assert hall.started == ["a", "b", "c"]
        await hall.end("a", "c")
        await asyncio.gather(*tasks)
        assert (job.free, job.queues, model.queues) == (2, {}, {})

    play(scene())


def test_the_judge_comes_before_the_target_at_one_model_and_at_another() -> None:
    async def scene() -> None:
        hall, job, model, judge = Hall(), JobLimit(1), ModelLimit(Bounds(1)), ModelLimit(Bounds(1))
        tasks = [hall.call("first", job, model), hall.call("target", job, model)]
        tasks += [hall.call("elsewhere", job, judge, "judge"), hall.call("here", job, model, "judge")]
        await settle()
        await hall.end("first", "elsewhere", "here", "target")
        assert hall.started == ["first", "elsewhere", "here", "target"]
        await asyncio.gather(*tasks)
        assert job.free == 1

    play(scene())


def test_a_model_that_is_full_does_not_hold_up_calls_to_another() -> None:
    async def scene() -> None:
        hall, job, full, free = Hall(), JobLimit(2), ModelLimit(Bounds(1)), ModelLimit()
        tasks = [hall.call("a", job, full), hall.call("b", job, full), hall.call("c", job, free)]
        await settle()
        assert hall.started == ["a", "c"]
        await hall.end("a", "b", "c")
        await asyncio.gather(*tasks)
        assert hall.started == ["a", "c", "b"]

    play(scene())


def test_a_model_serves_the_jobs_in_turn() -> None:
    async def scene() -> None:
        hall, model = Hall(), ModelLimit(Bounds(1))
        big, small = JobLimit(8), JobLimit(8)
        tasks = [hall.call(f"big{i}", big, model) for i in range(4)]
        tasks += [hall.call(f"small{i}", small, model) for i in range(2)]
        await settle()
        await hall.end("big0", "big1", "small0", "big2", "small1", "big3")
        assert hall.started == ["big0", "big1", "small0", "big2", "small1", "big3"]
        await asyncio.gather(*tasks)

    play(scene())


def test_a_retry_comes_before_calls_that_came_later() -> None:
    async def scene() -> None:
        hall, job, model = Hall(), JobLimit(1), ModelLimit()
        early = Waiting("target", window_s=60.0)
        tasks = [hall.call("a", job, model), hall.call("b", job, model)]
        await settle()
        tasks.append(hall.call("retry", job, model, turn=early))
        await settle()
        await hall.end("a", "retry", "b")
        assert hall.started == ["a", "retry", "b"]
        await asyncio.gather(*tasks)

    play(scene())


def test_cancelling_gives_a_slot_back_once_whether_held_waited_for_or_just_granted() -> None:
    async def scene() -> None:
        hall, job, model = Hall(), JobLimit(1), ModelLimit(Bounds(1))
        held, waiting, granted = (hall.call(name, job, model) for name in "abc")
        await settle()
        waiting.cancel()
        await settle()
        held.cancel()
        await asyncio.sleep(0)  # the slot is c's now, which has not woken yet
        granted.cancel()
        await asyncio.gather(held, waiting, granted, return_exceptions=True)
        assert hall.started == ["a"]
        assert job.free == 1
        last = hall.call("d", job, model)
        await settle()
        assert hall.started == ["a", "d"]
        await hall.end("d")
        await last
        assert (job.queues, model.queues) == ({}, {})

    play(scene())


def test_a_pause_holds_every_job_and_sends_away_who_cannot_wait() -> None:
    async def scene() -> None:
        hall, model = Hall(), ModelLimit(Bounds(1))
        one, other, clock = JobLimit(1), JobLimit(1), asyncio.get_running_loop().time
        first = hall.call("first", one, model)
        patient = hall.call("patient", other, model)
        hasty = hall.call("hasty", other, model, turn=Waiting("target", window_s=0.01))
        await settle()
        paused = clock()
        model.pause(0.5)
        late = hall.call("late", one, model, turn=Waiting("judge", window_s=0.01))
        await hall.end("first")
        assert hall.started == ["first"]
        for task in (hasty, late):
            with pytest.raises(PauseTooLong):
                await task
        await hall.end("patient")
        await asyncio.gather(first, patient)
        assert hall.started == ["first", "patient"]
        assert clock() - paused > 0.49

    play(scene())


def test_a_closed_lane_sends_away_who_waits_and_who_comes_but_not_who_runs() -> None:
    async def scene() -> None:
        hall, job, other, model = Hall(), JobLimit(1), JobLimit(1), ModelLimit(Bounds(1))
        running, waiting = hall.call("a", job, model), hall.call("b", job, model)
        elsewhere = hall.call("c", other, model)
        await settle()
        job.close()
        late = hall.call("d", job, model)
        for task in (waiting, late):
            with pytest.raises(JobStopped):
                await task
        await hall.end("a", "c")
        await asyncio.gather(running, elsewhere)
        assert hall.started == ["a", "c"]
        assert (job.free, job.queues, model.queues) == (1, {}, {})

    play(scene())


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    async def scene() -> None:
        hall, job, model, clock = Hall(), JobLimit(1), ModelLimit(), asyncio.get_running_loop().time
        began = clock()
        model.pause(0.1)
        model.pause(0.01)
        task = hall.call("a", job, model)
        await hall.end("a")
        await task
        assert clock() - began > 0.08
        assert model.in_flight == 0

    play(scene())


def test_a_rate_is_kept_after_a_second_s_worth() -> None:
    async def scene() -> None:
        job, clock = JobLimit(100), asyncio.get_running_loop().time
        model = ModelLimit(Bounds(requests_per_minute=1200))  # one in 49 ms, ten in half a second
        starts: list[float] = []

        async def call() -> None:
            async with model.entered(job, Waiting("target", window_s=60.0)):
                starts.append(clock())

        began = clock()
        await asyncio.gather(*(call() for _ in range(40)))
        gaps = [start - began for start in starts]
        assert sum(gap < 0.35 for gap in gaps) <= 30
        assert gaps[-1] > 0.45

    play(scene())


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(), jobs=st.lists(st.integers(1, 3), min_size=1, max_size=3), limit=st.integers(1, 4))
def test_limits_hold_and_everyone_is_served_whoever_is_cancelled(seed: int, jobs: list[int], limit: int) -> None:
    dice = random.Random(seed)
    running: Counter[object] = Counter()
    done: list[int] = []

    async def call(number: int, job: JobLimit, model: ModelLimit, most: dict[object, float]) -> None:
        async with model.entered(job, Waiting(dice.choice(["target", "judge"]), window_s=60.0)):
            running.update([job, model])
            assert all(running[place] <= most[place] for place in most)
            try:
                for _ in range(dice.randrange(3)):
                    await asyncio.sleep(0)
                done.append(number)
            finally:
                running.subtract([job, model])

    async def scene() -> None:
        queues = [JobLimit(parallelism) for parallelism in jobs]
        bounds = [ModelLimit(Bounds(limit)), ModelLimit()]
        most: dict[object, float] = dict(zip([*queues, bounds[0]], [*jobs, limit], strict=True))
        tasks = [asyncio.create_task(call(i, dice.choice(queues), dice.choice(bounds), most)) for i in range(40)]
        cancelled = dice.sample(range(40), 10)
        for number in cancelled:
            await asyncio.sleep(0)
            tasks[number].cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        assert set(range(40)) - set(cancelled) <= set(done)
        assert [job.free for job in queues] == jobs
        assert [model.in_flight for model in bounds] == [0, 0]

    play(scene())
