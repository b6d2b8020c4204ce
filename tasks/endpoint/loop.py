"""The I/O loop: the only place from which models are asked.

One loop a process (and policy) owns the connections and what each model allows, so that all jobs of the process share
them. It only awaits: requests come ready-made, and outputs are derived elsewhere.
"""

import asyncio
import atexit
import random
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import uvloop

from core.result import CallOutcome, Role, Usage
from tasks.endpoint.adjust import SCHEMA, Quirks, change_for
from tasks.endpoint.attempt import NO_ATTEMPT, Attempt, attempt
from tasks.endpoint.connections import Connections
from tasks.endpoint.guard import Policy
from tasks.endpoint.limits import JobLimit, JobStopped, ModelLimit, PauseTooLong, Waiting
from tasks.endpoint.route import Route, route_url
from tasks.endpoint.waits import backoff_s

__all__ = ["IoLoop", "JobLimit", "JobStopped", "Policy", "Reply", "Route", "io_loop", "route_url"]

T = TypeVar("T")

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


class _Model:
    """One model at one endpoint: what it allows, and what it does not take."""

    def __init__(self, route: Route) -> None:
        self.limit = ModelLimit(route.concurrency, route.requests_per_minute)
        self.quirks = Quirks()


class IoLoop:
    """An event loop in a thread of its own, with its connections; see `io_loop`."""

    def __init__(self, policy: Policy) -> None:
        """Start the thread."""
        self._connections = Connections(policy)
        self._models: dict[tuple[str, str], _Model] = {}
        self._stopping = asyncio.Event()
        started: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=_run, args=(self._live(started),), name="assay-io", daemon=True)
        self._thread.start()
        self._loop = started.result()
        atexit.register(self.close)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop, from any thread; cancelling the future cancels it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for it, from any thread but the loop's own."""
        future = self.submit(coroutine)
        try:
            return future.result()
        finally:
            future.cancel()  # takes effect only if the wait was interrupted

    def call_soon(self, function: Callable[[], object]) -> None:
        """Have a function called on the loop, from any thread."""
        self._loop.call_soon_threadsafe(function)

    def close(self) -> None:
        """Cancel what runs, close the connections and end the thread."""
        atexit.unregister(self.close)
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(timeout=2.0)

    async def ask(
        self,
        route: Route,
        request: bytes,
        *,
        limit: JobLimit,
        role: Role,
        may_drop: Collection[str] = (),
        retries: int | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Reply:
        """Send a JSON body to a model until it answers, or the route's bounds are reached.

        Runs on the loop. Waits until the `limit` and the model have room; whatever goes wrong is an outcome of the
        reply. No attempt is made from when it is not `wanted` any more. A request that is refused for one of its
        fields is sent as the model takes it; those that `may_drop` may be the reason without being named. At most
        `retries` are made, or as many as the route says. Raises JobStopped if the job stops before an attempt.
        """
        clock = asyncio.get_running_loop().time
        started_at, began = time.time(), clock()
        made: list[Attempt] = []
        waiting = Waiting(role, route.retry_window_s)
        model = self._model(route)
        most = route.max_retries if retries is None else retries
        for retry in range(1, most + 2):
            try:
                async with model.limit.entered(limit, waiting):
                    if not wanted() or (waiting.deadline is not None and clock() > waiting.deadline):
                        break
                    if waiting.deadline is None:
                        started_at, began = time.time(), clock()
                        waiting.deadline = began + route.retry_window_s
                    made += await self._tries(route, model.quirks, request, may_drop)
                    if made[-1].pause_s:
                        model.limit.pause(made[-1].pause_s)
            except PauseTooLong:
                break
            if retry > most or not _may_pass(made):
                break
            wait_s = 0.0 if made[-1].pause_s else backoff_s(retry, random.random())
            if clock() + wait_s > waiting.deadline:
                break
            await asyncio.sleep(wait_s)
        return _reply(route, made, request, started_at, clock() - began)

    def _model(self, route: Route) -> _Model:
        key = (route.origin, route.model)
        model = self._models.get(key)
        if model is None:
            model = self._models[key] = _Model(route)
        return model

    async def _tries(self, route: Route, quirks: Quirks, request: bytes, may_drop: Collection[str]) -> list[Attempt]:
        """Send a request as far as is known how the model takes it, and again for each field that it refuses."""
        asked = quirks.asked(request)
        made = [await attempt(self._connections, route, asked)]
        while len(made) <= MAX_CHANGES:
            last = made[-1]
            change = change_for(last.reading, last.status, asked, may_drop=may_drop)
            if change is None:
                break
            if not change.guessed:
                quirks.remember(change)
            asked = asked.with_change(change)
            made.append(await attempt(self._connections, route, asked))
        if made[-1].reading.outcome == "answered" and not made[-1].reading.empty and may_drop:
            quirks.confirm(asked, SCHEMA)
        return made

    async def _live(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        async with self._connections:
            started.set_result(asyncio.get_running_loop())
            await self._stopping.wait()


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on a loop of uvloop's, which takes a tenth less of the time of a call than asyncio's own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(coroutine)


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


_loops: dict[Policy, IoLoop] = {}
_lock = threading.Lock()


def io_loop(policy: Policy) -> IoLoop:
    """Return the process's loop for `policy`, started on first use."""
    with _lock:
        if policy not in _loops:
            _loops[policy] = IoLoop(policy)
        return _loops[policy]
