"""Who may call next: within the limit of a job (`JobLimit`) and of a model (`ModelLimit`).

A call starts when its job and its model both have room, so that a wait for the one never takes up the other. Within a
job the judge's calls come before the target's, and earlier calls before later ones; a call keeps its place through its
retries. A model serves its jobs in turn. For use on one event loop.
"""

import asyncio
import itertools
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from core.result import Role

BURST_S: Final = 1.0
"""A rate may be run ahead of by this much of its time."""

_arrivals = itertools.count()


class PauseTooLong(Exception):
    """The endpoint asked for a longer pause than a call's retry window has left."""


class JobStopped(Exception):
    """The job has stopped: it starts no further call."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A call's place in the queues; its window of `window_s` opens with its first attempt."""

    role: Role
    window_s: float
    deadline: float | None = None
    order: int = field(default_factory=_arrivals.__next__)

    def outlasts(self, until: float, now: float) -> bool:
        """Tell whether the call may still start at loop time `until`."""
        return until <= (now + self.window_s if self.deadline is None else self.deadline)


_Queue = list[tuple[bool, int, "asyncio.Future[bool]", Waiting]]


class JobLimit:
    """What a job may do: `parallelism` calls at a time, the judge's before the target's."""

    def __init__(self, parallelism: int) -> None:
        self.free = parallelism
        self.queues: dict[ModelLimit, _Queue] = {}
        self.closed = False

    def close(self) -> None:
        """Start no further call; those that wait are sent away with JobStopped."""
        self.closed = True
        for queue in self.queues.values():
            for _, _, future, _ in queue:
                if not future.done():
                    future.set_result(False)

    def grant(self) -> bool:
        """Start the call that is first among those whose model has room; False if there is none."""
        if not self.free:
            return False
        for model, queue in list(self.queues.items()):
            while queue and queue[0][2].done():
                heappop(queue)
            model.arrange(self, queue)
        ready = [model for model in self.queues if model.has_room()]
        if not ready:
            return False
        model = min(ready, key=lambda model: self.queues[model][0][:2])
        queue = self.queues[model]
        model.start(self)
        heappop(queue)[2].set_result(True)
        model.arrange(self, queue, served=True)
        return True


class ModelLimit:
    """What one model's endpoint allows over all jobs: calls at a time, calls a minute, pauses."""

    def __init__(self, concurrency: int | None = None, requests_per_minute: float | None = None) -> None:
        self.queues: dict[JobLimit, _Queue] = {}
        self._free: float = math.inf if concurrency is None else concurrency
        self._interval_s = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._paid_until = 0.0
        self._closed_until = 0.0
        self._opener: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def entered(self, job: JobLimit, waiting: Waiting) -> AsyncIterator[None]:
        """Be one of the calls of `job` and of this model, after a wait for both.

        Raises PauseTooLong if the endpoint is closed for longer than the call may wait, and JobStopped.
        """
        await self._enter(job, waiting)
        try:
            yield
        finally:
            self._leave(job)

    def pause(self, seconds: float) -> None:
        """Start no call for `seconds`; waiting calls that cannot outlast that are sent away."""
        now = asyncio.get_running_loop().time()
        self._close(now + seconds)
        for queue in self.queues.values():
            for _, _, future, waiting in queue:
                if not future.done() and not waiting.outlasts(self._closed_until, now):
                    future.set_result(False)

    def has_room(self) -> bool:
        """Tell whether a call may start now."""
        return self._free > 0 and self._opener is None

    def start(self, job: JobLimit) -> None:
        """Count a call of `job` and of this model, and count it against the rate."""
        job.free -= 1
        self._free -= 1
        if self._interval_s:
            now = asyncio.get_running_loop().time()
            self._paid_until = max(self._paid_until, now) + self._interval_s
            if self._paid_until - now > BURST_S:
                self._close(self._paid_until - BURST_S)

    def arrange(self, job: JobLimit, queue: _Queue, *, served: bool = False) -> None:
        """Keep the jobs that wait here in turn: a `served` one goes last, an empty one away."""
        if not queue:
            del job.queues[self], self.queues[job]
        elif served:
            self.queues[job] = self.queues.pop(job)

    async def _enter(self, job: JobLimit, waiting: Waiting) -> None:
        if job.closed:
            raise JobStopped
        if job.free and self.has_room() and self not in job.queues:
            self.start(job)
            return
        loop = asyncio.get_running_loop()
        if self._opener and not waiting.outlasts(self._closed_until, loop.time()):
            raise PauseTooLong
        future: asyncio.Future[bool] = loop.create_future()
        queue = job.queues.setdefault(self, [])
        self.queues.setdefault(job, queue)
        heappush(queue, (waiting.role == "target", waiting.order, future, waiting))
        job.grant()  # what stands in the queue may have been cancelled
        try:
            granted = await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.result():
                self._leave(job)
            raise
        if not granted:
            raise JobStopped if job.closed else PauseTooLong

    def _leave(self, job: JobLimit) -> None:
        job.free += 1
        self._free += 1
        self._serve()
        while job.grant():
            pass

    def _serve(self) -> None:
        """Let the jobs start what there is room for, in turn."""
        while self.has_room() and any(job.grant() for job in tuple(self.queues)):
            pass

    def _close(self, until: float) -> None:
        if until <= self._closed_until:
            return
        self._closed_until = until
        if self._opener:
            self._opener.cancel()
        self._opener = asyncio.get_running_loop().call_at(until, self._open)

    def _open(self) -> None:
        self._opener = None
        self._serve()
