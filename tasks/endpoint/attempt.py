"""One try at a call: what is sent, and what came of it."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

import aiohttp

from tasks.endpoint.adjust import Asked, Change
from tasks.endpoint.body import BodyBroken, BodyRefused
from tasks.endpoint.connections import Called, Connections
from tasks.endpoint.reply import Reading, read_reply
from tasks.endpoint.route import Route, RouteInvalid
from tasks.endpoint.waits import TOO_MANY_REQUESTS, pause_s

LARGE_BYTES: Final = 100_000
"""An answer of more takes longer to read than the calls of others should wait: that is done beside the loop."""

NO_ATTEMPT: Final = Reading("transient", "The endpoint asked to be left alone for longer than the retry window")


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that was sent, with the changes that were made to it, and what its answer means.

    For `pause_s` the endpoint asked to be left alone. `is_late` says that no whole answer came in time.
    """

    reading: Reading
    request: bytes
    status: int | None = None
    pause_s: float | None = None
    changes: tuple[Change, ...] = ()
    is_late: bool = False

    @property
    def is_too_often(self) -> bool:
        """Whether the endpoint says that it is asked too often."""
        status = self.reading.complaint.status or self.status
        return self.reading.outcome == "transient" and status == TOO_MANY_REQUESTS


async def attempt(connections: Connections, route: Route, asked: Asked) -> Attempt:
    """Send a request once; whatever goes wrong is what its reading says."""
    called: Called | None = None
    try:
        called = Called(route.destination.host, route.port)
        async with asyncio.timeout(route.timeout_s):
            response, body = await connections.exchange(route, asked.body, called)
    except RouteInvalid as invalid:
        reading = Reading("error", str(invalid))
    except (aiohttp.InvalidURL, UnicodeError):
        reading = Reading("error", f"{route.destination.host!r} in the endpoint's URL is no valid host")
    except aiohttp.ServerTimeoutError as failure:  # of connecting, which may take less time
        reading = _failed(failure, route, called)
    except TimeoutError:
        reading = Reading("transient", f"No whole answer from {route.origin} in {route.timeout_s:g} s")
        return Attempt(reading, asked.body, changes=asked.changes, is_late=True)
    except BodyRefused as refused:
        reading = Reading("error", str(refused))
    except (BodyBroken, aiohttp.ClientError, OSError) as failure:
        reading = _failed(failure, route, called)
    else:
        return _attempted(asked, response, await _read(connections, response, body))
    return Attempt(reading, asked.body, changes=asked.changes)


async def _read(connections: Connections, response: aiohttp.ClientResponse, body: bytes) -> Reading:
    """Tell what an answer means, of large ones one at a time, since their values take a multiple of their bytes."""
    try:
        if len(body) <= LARGE_BYTES:
            return read_reply(response.status, response.headers, body)
        async with connections.reading:
            return await asyncio.to_thread(read_reply, response.status, response.headers, body)
    finally:
        connections.let_go(response)


def _attempted(asked: Asked, response: aiohttp.ClientResponse, reading: Reading) -> Attempt:
    wait_s = None
    if reading.outcome == "transient":
        said = reading.text if reading.answer is None else reading.answer
        status = reading.complaint.status or response.status
        wait_s = pause_s(status, response.headers, said, time.time())
    return Attempt(reading, asked.body, response.status, wait_s, asked.changes)


def _failed(failure: Exception, route: Route, called: Called | None) -> Reading:
    """Tell what a connection that failed means: mostly that it may be better the next time."""
    if called and called.refused:
        return Reading("error", str(called.refused))
    reason = f"No whole answer from {route.origin}: {_reason(failure, route)}"
    if isinstance(failure, aiohttp.ClientConnectorCertificateError):
        return Reading("error", f"{reason}; an authority of your own is named by the model's ca_file in the settings")
    return Reading("transient", reason)


def _reason(failure: Exception, route: Route) -> str:
    """Return what happened, without the URL, whose query may hold a key."""
    match failure:
        case aiohttp.ClientResponseError():
            text = failure.message
        case aiohttp.ClientConnectorError():
            text = f"cannot connect: {failure.os_error}"
        case aiohttp.ClientConnectorCertificateError():
            text = str(failure.certificate_error)
        case _:
            text = str(failure)
    return text.replace(str(route.destination), route.origin) or type(failure).__name__
