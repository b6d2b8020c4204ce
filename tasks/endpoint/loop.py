"""The I/O loop: the only place from which models are asked.

One loop a process (and policy) owns the connections and what each model allows, so that all jobs of the process share
them. It only awaits: requests come ready-made, and outputs are derived elsewhere.
"""

import asyncio
import atexit
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

import uvloop

from core.result import Role
from tasks.endpoint.asking import Asking, Model, Reply
from tasks.endpoint.connections import Connections
from tasks.endpoint.guard import Policy
from tasks.endpoint.limits.bearing import Bearing
from tasks.endpoint.limits.ledger import Ledger
from tasks.endpoint.limits.queues import JobLimit, JobStopped, Waiting
from tasks.endpoint.route import Route, route_url

__all__ = ["IoLoop", "JobLimit", "JobStopped", "Policy", "Reply", "Route", "io_loop", "route_url"]

T = TypeVar("T")


async def at_once() -> None:
    """Have nothing waited for."""


class IoLoop:
    """An event loop in a thread of its own, with its connections; see `io_loop`."""

    def __init__(self, policy: Policy) -> None:
        """Start the thread."""
        self._connections = Connections(policy)
        self._models: dict[tuple[str, Ledger | None], Model] = {}
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
        cleared: Callable[[], Awaitable[object]] = at_once,
    ) -> Reply:
        """Send a JSON body to a model until it answers, or the route's bounds are reached.

        Runs on the loop. Waits until the `limit` and the model have room; whatever goes wrong is an outcome of the
        reply. No attempt is made before it is `cleared`, nor from when it is not `wanted` any more. A request that is
        refused for one of its fields is sent as the model takes it; those that `may_drop` may be the reason without
        being named. At most `retries` are made, or as many as the route says. Raises JobStopped if the job stops before
        an attempt.
        """
        waiting = Waiting(role, route.retry_window_s)
        asking = Asking(self._connections, route, self._model(route), limit, waiting, wanted, cleared)
        return await asking.until_answered(request, may_drop, route.max_retries if retries is None else retries)

    def bearing(self, route: Route) -> Bearing:
        """Return what holds up the calls of a route now; from any thread."""
        model = self._models.get(_key(route))
        return model.limit.bearing if model else Bearing(route.place)

    def _model(self, route: Route) -> Model:
        key = _key(route)
        model = self._models.get(key)
        if model is None:
            model = self._models[key] = Model(route)
        return model

    async def _live(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        async with self._connections:
            started.set_result(asyncio.get_running_loop())
            await self._stopping.wait()


def _key(route: Route) -> tuple[str, Ledger | None]:
    return route.place, route.ledger


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on a loop of uvloop's, which takes a tenth less of the time of a call than asyncio's own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(coroutine)


_loops: dict[Policy, IoLoop] = {}
_lock = threading.Lock()


def io_loop(policy: Policy) -> IoLoop:
    """Return the process's loop for `policy`, started on first use."""
    with _lock:
        if policy not in _loops:
            _loops[policy] = IoLoop(policy)
        return _loops[policy]
