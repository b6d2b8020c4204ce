"""Who may call next: within the limit of a job (`JobLimit`) and of a model (`ModelLimit`).

A call starts when its job and its model both have room, so that a wait for the one never takes up the other. Within a
job the judge's calls come before the target's, and earlier calls before later ones; a call keeps its place through its
retries. A model serves its jobs in turn. For use on one event loop.
"""

import asyncio
import itertools
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from core.result import Role, Usage
from tasks.endpoint.limits.account import Account, Demand
from tasks.endpoint.limits.bearing import Bearing
from tasks.endpoint.limits.congestion import Congestion
from tasks.endpoint.limits.ledger import UNBOUNDED, Bounds, Ledger
from tasks.endpoint.limits.tokens import Expected, Size

_arrivals = itertools.count()


class PauseTooLong(Exception):
    """The endpoint asked for a longer pause than a call's retry window has left."""


class JobStopped(Exception):
    """The job has stopped: it starts no further call."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A call's place in the queues; its window of `window_s` opens with its first attempt.

    Once it has begun, it is counted with so many `tokens` in a `grain` of the ledger's time, and is of a `round`.
    """

    role: Role
    window_s: float
    deadline: float | None = None
    size: Size | None = None
    tokens: int = 0
    grain: int = 0
    round: int = 0
    order: int = field(default_factory=_arrivals.__next__)

    def outlasts(self, until: float, now: float) -> bool:
        """Tell whether the call may still start at loop time `until`."""
        return until <= (now + self.window_s if self.deadline is None else self.deadline)


NO_MORE: Final = -1
"""Calls at a time beside those that there are."""

TIMER_S: Final = 0.002
"""By so much uvloop's timers, which count milliseconds, may be early."""

_Queue = list[tuple[bool, int, "asyncio.Future[bool]", Waiting]]


class JobLimit:
    """What a job may do: `parallelism` calls at a time, the judge's before the target's.

    With a `ledger` that is so over all processes which are at the job `name`; without one, in this process.
    """

    def __init__(self, parallelism: int, ledger: Ledger | None = None, name: str = "") -> None:
        self.free = self._parallelism = parallelism
        bounds = Bounds(parallelism)
        self.account = None if ledger is None else Account(name, bounds, ledger, self._demand, self._granted)
        self.queues: dict[ModelLimit, _Queue] = {}
        self.closed = False

    def close(self) -> None:
        """Start no further call; those that wait are sent away with JobStopped."""
        self.closed = True
        for queue in self.queues.values():
            for _, _, future, _ in queue:
                if not future.done():
                    future.set_result(False)

    @property
    def in_flight(self) -> int:
        """Calls that have begun here and not ended."""
        return self._parallelism - self.free

    @property
    def allowed(self) -> int:
        """Calls that may begin here, as far as the processes have agreed on that."""
        return self.free if self.account is None else max(0, min(self.free, int(self.account.calls) - self.in_flight))

    def has_room(self) -> bool:
        """Tell whether a call may start now; if others have them all, see to it that one may later on."""
        return self.free > 0 and (self.account is None or self.account.has_room(self.in_flight, 0))

    def grant(self) -> bool:
        """Start the call that is first among those whose model has room; False if there is none."""
        if not (self.queues and self.has_room()):  # before models are: they are asked for what may begin here
            return False
        for model, queue in list(self.queues.items()):
            while queue and queue[0][2].done():
                heappop(queue)
            model.arrange(self, queue)
        ready = [model for model, queue in self.queues.items() if model.has_room(queue[0][3])]
        if not ready:
            return False
        model = min(ready, key=lambda model: self.queues[model][0][:2])
        queue = self.queues[model]
        _, _, future, waiting = heappop(queue)
        model.start(self, waiting)
        future.set_result(True)
        model.arrange(self, queue, served=True)
        return True

    def begin(self) -> None:
        """Count a call."""
        self.free -= 1
        if self.account:
            self.account.spend(0)

    def _demand(self) -> Demand:
        waiting = 0 if self.closed else sum(not each[2].done() for queue in self.queues.values() for each in queue)
        return Demand(self.in_flight, min(waiting, self.free), 0, 0, paused=False)

    def _granted(self) -> None:
        while self.grant():
            pass


class ModelLimit:
    """What one model's endpoint allows over all jobs, of this process and others, what it bears, and its pauses.

    The `bounds` of the model `name` are kept by the `ledger`; without one, for this process alone.
    """

    def __init__(self, bounds: Bounds = UNBOUNDED, ledger: Ledger | None = None, name: str = "") -> None:
        self.name = name
        self.queues: dict[JobLimit, _Queue] = {}
        self.congestion = Congestion()
        self.in_flight = 0
        self.account = None if bounds == UNBOUNDED else Account(name, bounds, ledger, self._demand, self._granted)
        self.expected = Expected() if bounds.tokens_per_minute else None
        self._paused_until = 0.0
        self._opener: asyncio.TimerHandle | None = None
        self._again: deque[tuple[asyncio.Future[None], Waiting]] = deque()

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

    async def again(self, waiting: Waiting) -> None:
        """Have a call that has begun be sent once more, in its place, after a wait for the rates alone."""
        if self.account is None or not self.account.bounds.paces:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._again.append((future, waiting))
        self._serve_again()
        await future

    def pause(self, seconds: float) -> None:
        """Start no call for `seconds`; waiting calls that cannot outlast that are sent away."""
        now = asyncio.get_running_loop().time()
        self._paused_until = max(self._paused_until, now + seconds)
        self._close()
        for queue in self.queues.values():
            for _, _, future, waiting in queue:
                if not future.done() and not waiting.outlasts(self._paused_until, now):
                    future.set_result(False)

    @property
    def bearing(self) -> Bearing:
        """What holds up the calls now; from any thread."""
        if self.account is None:
            return Bearing(self.name, self.congestion.limit)
        account = self.account
        allowed = account.calls if self.in_flight or self.queues else math.inf
        return Bearing(self.name, self.congestion.limit, allowed, account.bounds, account.trouble)

    def note(self, waiting: Waiting, *, is_late: bool, is_too_often: bool) -> None:
        """Take note of how one of the calls ended, which shows what the endpoint bears."""
        if is_too_often:
            self.congestion.asked_too_often(waiting.round, self.in_flight)
        elif is_late:
            self.congestion.late(waiting.round, self.in_flight)
        else:
            self.congestion.answered(waiting.round, self.in_flight)

    def settle(self, waiting: Waiting, usage: Usage) -> None:
        """Count the tokens that a call took for those that it might take, and expect as many of the next."""
        if self.account and self.expected and waiting.size:
            self.expected.note(waiting.size, usage)
            self.account.settle(waiting.grain, waiting.tokens, usage.total_tokens or 0)

    def has_room(self, waiting: Waiting) -> bool:
        """Tell whether a call may start now."""
        if not self._is_open:
            return False
        return self.account is None or self.account.has_room(self.in_flight, self._tokens(waiting))

    @property
    def _is_open(self) -> bool:
        return self._opener is None and self.in_flight + 1 <= self.congestion.limit

    def start(self, job: JobLimit, waiting: Waiting) -> None:
        """Count a call of `job` and of this model, and count it against the rates."""
        job.begin()
        self.in_flight += 1
        waiting.round = self.congestion.round
        if self.account:
            self._spend(self.account, waiting)

    def arrange(self, job: JobLimit, queue: _Queue, *, served: bool = False) -> None:
        """Keep the jobs that wait here in turn: a `served` one goes last, an empty one away."""
        if not queue:
            del job.queues[self], self.queues[job]
        elif served:
            self.queues[job] = self.queues.pop(job)

    async def _enter(self, job: JobLimit, waiting: Waiting) -> None:
        if job.closed:
            raise JobStopped
        if job.has_room() and self not in job.queues and self.has_room(waiting):
            self.start(job, waiting)
            return
        loop = asyncio.get_running_loop()
        if self._opener and not waiting.outlasts(self._paused_until, loop.time()):
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
        self.in_flight -= 1
        self._serve()
        while job.grant():
            pass

    def _serve(self) -> None:
        """Let the jobs start what there is room for, in turn, after the calls that have begun."""
        self._serve_again()
        while self._is_open and any(job.grant() for job in tuple(self.queues)):
            pass

    def _serve_again(self) -> None:
        while self._again and self._opener is None and self.account:
            future, waiting = self._again[0]
            if not future.done():
                if not self.account.has_room(NO_MORE, self._tokens(waiting)):
                    return
                self._spend(self.account, waiting)
                future.set_result(None)
            self._again.popleft()

    def _spend(self, account: Account, waiting: Waiting) -> None:
        waiting.tokens = self._tokens(waiting)
        waiting.grain = account.spend(waiting.tokens)

    def _tokens(self, waiting: Waiting) -> int:
        return self.expected.of(waiting.size) if self.expected and waiting.size else 0

    def _demand(self) -> Demand:
        self._again = deque(each for each in self._again if not each[0].done())
        tokens = max((self._tokens(each) for _, each in self._again), default=0)
        waiting = 0
        for job, queue in self.queues.items():
            while queue and queue[0][2].done():
                heappop(queue)
            if queue and job.allowed and not job.closed:
                waiting += min(job.allowed, len(queue))
                tokens = max(tokens, self._tokens(queue[0][3]))
        can_begin = max(0, min(waiting, self.congestion.limit - self.in_flight))
        paused = asyncio.get_running_loop().time() < self._paused_until
        return Demand(self.in_flight, int(can_begin), len(self._again), tokens, paused=paused)

    def _granted(self) -> None:
        """Let those begin that may, now or when the account says."""
        self._close()
        self._serve()

    def _close(self) -> None:
        """Start no call until the end of a pause, and of a wait that the account knows of."""
        loop = asyncio.get_running_loop()
        if self._opener:
            self._opener.cancel()
            self._opener = None
        opens = max(self._paused_until, self.account.opens if self.account else 0.0)
        if opens > loop.time():
            self._opener = loop.call_at(opens + TIMER_S, self._open)

    def _open(self) -> None:
        self._opener = None
        self._serve()
