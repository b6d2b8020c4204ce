"""One call: sent until it is answered, within the limits of its job and of its model."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from core.result import CallOutcome, Usage
from tasks.endpoint.adjust import SCHEMA, Asked, Quirks, change_for
from tasks.endpoint.attempt import NO_ATTEMPT, Attempt, attempt
from tasks.endpoint.connections import Connections
from tasks.endpoint.limits.queues import JobLimit, ModelLimit, PauseTooLong, Waiting
from tasks.endpoint.limits.tokens import size_of
from tasks.endpoint.route import Route
from tasks.endpoint.waits import backoff_s

MAX_CHANGES: Final = 6
"""A request that is refused after so many changes is refused."""


@dataclass(frozen=True, slots=True)
class Reply:
    """How a call ended. `seconds` runs from the first attempt to the end, waits between included.

    `request` is the body that was sent last, `body` what is kept of the last answer, and `error` says what went wrong;
    these without the key. `usage` is that of all answers. For `pause_s` the endpoint asked to be left alone. `notes`
    say, by the field, what was changed in the request. `exhausted` says that no call of the account is answered.
    """

    outcome: CallOutcome
    body: str | None
    status: int | None
    error: str | None
    usage: Usage
    started_at: float
    seconds: float
    attempts: int
    request: bytes
    pause_s: float | None = None
    notes: tuple[tuple[str, str], ...] = ()
    exhausted: bool = False


class Model:
    """One model at one endpoint: what it allows and bears, and what it does not take."""

    def __init__(self, route: Route) -> None:
        """Begin with nothing known but the bounds of the first route."""
        self.limit = ModelLimit(route.bounds, route.ledger, route.place)
        self.quirks = Quirks()

    def note(self, waiting: Waiting, made: Attempt) -> None:
        """Take note of what an attempt shows of the model."""
        self.limit.note(waiting, is_late=made.is_late, is_too_often=made.is_too_often)
        if made.pause_s:
            self.limit.pause(made.pause_s)
        if made.reading.usage.total_tokens is not None or made.is_too_often:
            self.limit.settle(waiting, made.reading.usage)


@dataclass(slots=True)
class Asking:
    """A call that is being made: to whom, what came of it so far, and when it began."""

    connections: Connections
    route: Route
    model: Model
    limit: JobLimit
    waiting: Waiting
    wanted: Callable[[], bool]
    cleared: Callable[[], Awaitable[object]]
    made: list[Attempt] = field(default_factory=list)
    started_at: float = field(default_factory=time.time)
    began: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    async def until_answered(self, request: bytes, may_drop: Collection[str], most: int) -> Reply:
        """Send a request until it is answered, at most `most` times again. Raises JobStopped."""
        clock = asyncio.get_running_loop().time
        for retry in range(1, most + 2):
            try:
                sent = await self._send(request, may_drop)
            except PauseTooLong:
                break
            if not sent or retry > most or not _may_pass(self.made):
                break
            wait_s = 0.0 if self.made[-1].pause_s else backoff_s(retry, random.random())
            if clock() + wait_s > (self.waiting.deadline or 0.0):
                break
            await asyncio.sleep(wait_s)
        return _reply(self.route, self.made, request, self.started_at, clock() - self.began)

    async def _send(self, request: bytes, may_drop: Collection[str]) -> bool:
        """Send a request after a wait for job and model; False if it is not wanted any more by then."""
        loop, waiting = asyncio.get_running_loop(), self.waiting
        self._size(request)
        async with self.model.limit.entered(self.limit, waiting):
            await self.cleared()
            if not self.wanted() or (waiting.deadline is not None and loop.time() > waiting.deadline):
                return False
            if waiting.deadline is None:
                self.started_at, self.began = time.time(), loop.time()
                waiting.deadline = self.began + self.route.retry_window_s
            await self._send_as_taken(self.model.quirks.asked(request), may_drop)
        return True

    async def _send_as_taken(self, asked: Asked, may_drop: Collection[str]) -> None:
        """Send a request as far as is known how the model takes it, and again for each field that it refuses."""
        quirks = self.model.quirks
        last = await self._attempt(asked)
        for _ in range(MAX_CHANGES):
            change = change_for(last.reading, last.status, asked, may_drop=may_drop)
            if change is None:
                break
            if not change.guessed:
                quirks.remember(change)
            asked = asked.with_change(change)
            self._size(asked.body)
            await self.model.limit.again(self.waiting)
            await self.cleared()
            last = await self._attempt(asked)
        if last.reading.outcome == "answered" and not last.reading.empty and may_drop:
            quirks.confirm(asked, SCHEMA)

    async def _attempt(self, asked: Asked) -> Attempt:
        self.made.append(await attempt(self.connections, self.route, asked))
        self.model.note(self.waiting, self.made[-1])
        return self.made[-1]

    def _size(self, request: bytes) -> None:
        if self.model.limit.expected:
            self.waiting.size = size_of(request)


def _may_pass(made: Sequence[Attempt]) -> bool:
    """Tell whether one more attempt may help: not where an answer could not be read for the second time."""
    return made[-1].reading.outcome == "transient" and sum(each.reading.unreadable for each in made) < 2


def _reply(route: Route, made: Sequence[Attempt], request: bytes, started_at: float, seconds: float) -> Reply:
    """Report a call by its last attempt; its error may quote the endpoint, so the key is masked."""
    last = made[-1] if made else Attempt(NO_ATTEMPT, request)
    reading = last.reading
    return Reply(
        # what cannot be read will not be readable for another attempt at the shard either
        outcome="error" if reading.unreadable else reading.outcome,
        body=reading.text,
        status=last.status,
        error=reading.error and route.mask(reading.error.encode()).decode(),
        usage=reading.usage if len(made) == 1 else sum((each.reading.usage for each in made), Usage()),
        started_at=started_at,
        seconds=seconds,
        attempts=len(made),
        request=last.request,
        pause_s=last.pause_s,
        notes=tuple([(each.field, route.mask(str(each).encode()).decode()) for each in last.changes]),
        exhausted=reading.exhausted,
    )
