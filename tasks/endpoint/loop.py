"""The I/O loop: the only module that speaks to a model.

One loop a process (and policy) owns the connections and what each model allows, so that all jobs of
the process share them. It only awaits: requests come ready-made, answers are parsed elsewhere.
"""

import asyncio
import atexit
import random
import socket
import threading
import time
from collections.abc import AsyncIterable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import aiohttp
import httpx
import uvloop
from httpx_aiohttp import AiohttpTransport

from core.result import CallOutcome, Role, Usage
from tasks.endpoint.guard import AddressRefused, Policy
from tasks.endpoint.limits import Bound, Lane, LaneClosed, PauseTooLong, Turn
from tasks.endpoint.retry import Reading, backoff_s, read_answer, retry_after_s
from tasks.endpoint.route import Route, RouteInvalid, route_url

__all__ = ["IoLoop", "Lane", "LaneClosed", "Policy", "Reply", "Route", "io_loop", "route_url"]

T = TypeVar("T")

CONNECT_TIMEOUT_S: Final = 10.0
KEEPALIVE_S: Final = 4.0
"""Uvicorn closes an idle connection after 5 s; a request must not meet a connection being closed."""

MAX_ANSWER_BYTES: Final = 64_000_000

_EXTENSIONS: Final = {"timeout": {"connect": CONNECT_TIMEOUT_S}}
_UNKNOWN_FIELD: Final = frozenset({400, 415, 422, 501})
"""The statuses by which endpoints refuse a request with a field that they do not know."""

_NO_ATTEMPT: Final = Reading("transient", "The endpoint asked to be left alone for longer than the retry window")


@dataclass(frozen=True, slots=True)
class Reply:
    """How a call ended. `seconds` runs from the first attempt to the end, waits between included.

    `request` is the body that was sent last, `body` the last answer's text, and `error` says what went wrong; these
    without the key. `usage` is that of all answers. For `pause_s` the endpoint asked to be left alone.
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


@dataclass(frozen=True, slots=True)
class _Attempt:
    reading: Reading
    request: bytes
    status: int | None = None
    body: str | None = None
    pause_s: float | None = None

    @property
    def takes_no_schema(self) -> bool:
        """Whether the endpoint refused the request, or said nothing to it, as some do that know no reply schema."""
        return self.reading.empty or (self.reading.outcome == "error" and self.status in _UNKNOWN_FIELD)


@dataclass(slots=True)
class _Called:
    """Whom a call is for, as the socket factory must know, and what that made of it."""

    host: str
    port: int
    refused: AddressRefused | None = None


_called: ContextVar[_Called] = ContextVar("called")


class _AnswerTooLarge(Exception):
    """An answer has more than `MAX_ANSWER_BYTES`."""


class IoLoop:
    """An event loop in a thread of its own, with its connections; see `io_loop`."""

    def __init__(self, policy: Policy) -> None:
        """Start the thread."""
        self._policy = policy
        self._plain_models: set[tuple[str, str]] = set()
        self._bounds: dict[tuple[str, str], Bound] = {}
        self._ssl = httpx.create_ssl_context()
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
        lane: Lane,
        role: Role,
        plain: bytes | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Reply:
        """Send a JSON body to a model until it answers, or the route's bounds are reached.

        Runs on the loop. Waits for its turn in `lane` and at the model; whatever goes wrong is an
        outcome of the reply. No attempt is made from when it is not `wanted` any more. `plain` is the
        request without a reply schema, for a model that takes none: that is found out once for each.
        Raises LaneClosed if the lane closes before an attempt.
        """
        clock = asyncio.get_running_loop().time
        started_at, began = time.time(), clock()
        made: list[_Attempt] = []
        turn = Turn(role, route.retry_window_s)
        bound = self._bound(route)
        while True:
            try:
                async with bound.slot(lane, turn):
                    if not wanted() or (turn.deadline is not None and clock() > turn.deadline):
                        break
                    if turn.deadline is None:
                        started_at, began = time.time(), clock()
                        turn.deadline = began + route.retry_window_s
                    made += await self._attempts(route, request, plain)
                    if made[-1].pause_s:
                        bound.pause(made[-1].pause_s)
            except PauseTooLong:
                break
            wait_s = _wait_s(route, made)
            if wait_s is None or clock() + wait_s > turn.deadline:
                break
            await asyncio.sleep(wait_s)
        return _reply(route, made or [_Attempt(_NO_ATTEMPT, request)], started_at, clock() - began, len(made))

    def _bound(self, route: Route) -> Bound:
        key = (route.origin, route.model)
        bound = self._bounds.get(key)
        if bound is None:
            bound = self._bounds[key] = Bound(route.concurrency, route.requests_per_minute)
        return bound

    async def _attempts(self, route: Route, request: bytes, plain: bytes | None) -> list[_Attempt]:
        """Send a request, and the plain one after it to a model that turns out to take no reply schema."""
        model = (route.origin, route.model)
        if plain is not None and model in self._plain_models:
            return [await self._attempt(route, plain)]
        first = await self._attempt(route, request)
        if plain is None or not first.takes_no_schema:
            return [first]
        second = await self._attempt(route, plain)
        if second.reading.outcome == "answered" and not second.reading.empty:
            self._plain_models.add(model)
        return [first, second]

    async def _attempt(self, route: Route, request: bytes) -> _Attempt:
        """Send a request once, and tell what came of it."""
        try:
            called = _Called(route.destination.host, route.port)
            _called.set(called)
            async with asyncio.timeout(route.timeout_s):
                response, body = await self._exchange(route, request)
        except RouteInvalid as invalid:
            return _Attempt(Reading("error", str(invalid)), request)
        except (httpx.UnsupportedProtocol, UnicodeError):
            return _Attempt(
                Reading("error", f"{route.destination.host!r} in the endpoint's URL is no valid host"), request
            )
        except TimeoutError:
            return _Attempt(
                Reading("transient", f"No whole answer from {route.origin} in {route.timeout_s:g} s"), request
            )
        except _AnswerTooLarge:
            return _Attempt(Reading("error", f"The answer has more than {MAX_ANSWER_BYTES:,} bytes"), request)
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as failure:
            if called.refused:
                return _Attempt(Reading("error", str(called.refused)), request)
            return _Attempt(
                Reading("transient", f"No whole answer from {route.origin}: {_reason(failure, route)}"), request
            )
        reading = read_answer(response.status_code, response.headers, body)
        pause_s = retry_after_s(response.headers, time.time()) if reading.outcome == "transient" else None
        return _Attempt(reading, request, response.status_code, body.decode("utf-8", "replace"), pause_s)

    async def _exchange(self, route: Route, request: bytes) -> tuple[httpx.Response, bytes]:
        """Send a request and read the whole answer, with the key masked."""
        response = await self._transport.handle_async_request(
            httpx.Request("POST", route.destination, headers=route.headers, content=request, extensions=_EXTENSIONS)
        )
        size, chunks = 0, []
        try:
            async for chunk in _chunks(response):
                size += len(chunk)
                if size > MAX_ANSWER_BYTES:
                    raise _AnswerTooLarge
                chunks.append(chunk)
        finally:
            await response.aclose()
        return response, route.mask(b"".join(chunks))

    def _open_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """Open a socket for a connection, if the policy allows the address."""
        family, kind, protocol, _, address = info
        called = _called.get()
        try:
            self._policy.check(called.host, called.port, str(address[0]))
        except AddressRefused as refused:
            called.refused = refused
            raise
        return socket.socket(family, kind, protocol)

    async def _live(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        connector = aiohttp.TCPConnector(
            limit=0,
            ssl=self._ssl,
            keepalive_timeout=KEEPALIVE_S,
            ttl_dns_cache=60,
            socket_factory=self._open_socket,
        )
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
            self._transport = AiohttpTransport(verify=self._ssl, client=session)
            started.set_result(asyncio.get_running_loop())
            await self._stopping.wait()


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on a loop of uvloop's, which takes a tenth less of the time of a call than asyncio's own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(coroutine)


def _chunks(response: httpx.Response) -> AsyncIterable[bytes]:
    """Return an answer's bytes; one that is not packed need not pay for httpx's decoders."""
    if "content-encoding" in response.headers:
        return response.aiter_bytes()
    return cast(httpx.AsyncByteStream, response.stream)


def _wait_s(route: Route, made: Sequence[_Attempt]) -> float | None:
    """Return how long to wait before the next attempt; None if there is to be none."""
    last = made[-1]
    if last.reading.outcome != "transient" or len(made) > route.max_retries:
        return None
    return 0.0 if last.pause_s else backoff_s(len(made), random.random())


def _reply(route: Route, made: Sequence[_Attempt], started_at: float, seconds: float, attempts: int) -> Reply:
    """Report a call by its last attempt; its error may quote the endpoint, so the key is masked."""
    last = made[-1]
    error = last.reading.error and route.mask(last.reading.error.encode()).decode()
    usage = sum((each.reading.usage for each in made), Usage())
    return Reply(
        outcome=last.reading.outcome,
        body=last.body,
        status=last.status,
        error=error,
        usage=usage,
        started_at=started_at,
        seconds=seconds,
        attempts=attempts,
        request=last.request,
        pause_s=last.pause_s,
    )


def _reason(failure: Exception, route: Route) -> str:
    """Return what happened, without the URL, whose query may hold a key."""
    cause = failure.__cause__ or failure
    match cause:
        case aiohttp.ClientResponseError():
            text = cause.message
        case aiohttp.ClientConnectorError():
            text = f"cannot connect: {cause.os_error}"
        case _:
            text = str(cause)
    return text.replace(str(route.destination), route.origin) or type(cause).__name__


_loops: dict[Policy, IoLoop] = {}
_lock = threading.Lock()


def io_loop(policy: Policy) -> IoLoop:
    """Return the process's loop for `policy`, started on first use."""
    with _lock:
        if policy not in _loops:
            _loops[policy] = IoLoop(policy)
        return _loops[policy]
