"""Bounds on request bodies: their size on the wire, and what JSON may hold."""

import asyncio
import re
from math import isfinite
from typing import Final

from anyio import CapacityLimiter, to_thread
from fastapi import HTTPException
from pydantic import JsonValue
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import answer
from core.json_size import count_outside

MAX_DEPTH: Final = 100
MOST_VALUES: Final = 500_000
DENSE: Final = 20_000
"""Of how many values a body is read beside the loop that answers others, one such body at a time."""

LONGEST_QUERY: Final = 16_384
MOST_PARAMETERS: Final = 200
SURROGATES: Final = re.compile("[\ud800-\udfff]")
INTEGERS: Final = range(-(2**63), 2**64)
"""The integers that every JSON library we use can carry."""


UPLOADS: Final = re.compile(r"/uploads/|/v1/files(/upload)?$")
"""The paths of bodies that go to disk as they come, and so may be longer than others."""


class BodyLimit:
    """Answer 413 to a request whose body, declared or streamed, is longer than `limit` bytes, or `upload_limit`."""

    def __init__(self, app: ASGIApp, limit: int, upload_limit: int) -> None:
        self.app = app
        self.limit = limit
        self.upload_limit = upload_limit
        self._one = CapacityLimiter(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting its body as it is read."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_upload = UPLOADS.match(scope["path"]) is not None
        limit = self.upload_limit if is_upload else self.limit
        if declared_length(scope) > limit:
            await answer(scope, 413, _refusal(limit))(scope, receive, send)
        elif is_upload:
            await self.app(scope, _counted(receive, limit), send)
        elif (whole := await _whole(receive, limit)) is None:
            await answer(scope, 413, _refusal(limit))(scope, receive, send)
        elif (values := values_in(whole)) > MOST_VALUES:
            refusal = f"The request body holds more than {MOST_VALUES:,} values; upload rows as a file"
            await answer(scope, 413, refusal)(scope, receive, send)
        elif values > DENSE:
            for message in await to_thread.run_sync(self._aside, scope, whole, limiter=self._one):
                await send(message)
        else:
            await self.app(scope, _again(whole, receive), send)

    def _aside(self, scope: Scope, whole: bytes) -> list[Message]:
        """Return what is sent for a request that takes long to read, which another loop does, in this thread."""
        sent: list[Message] = []

        async def forever() -> Message:
            await asyncio.Event().wait()
            raise AssertionError  # nobody sets it

        async def send(message: Message) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, _again(whole, forever), send))  # type: ignore[arg-type]
        return sent


class QueryLimit:
    """Answer 414 to a query that is longer, or has more parameters, than any that means something."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request with a query of a fair length."""
        query = scope.get("query_string", b"")
        if scope["type"] == "http" and (len(query) > LONGEST_QUERY or query.count(b"&") >= MOST_PARAMETERS):
            message = f"The query is longer than {LONGEST_QUERY:,} bytes or {MOST_PARAMETERS} parameters"
            await answer(scope, 414, message)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def declared_length(scope: Scope) -> int:
    """Return the request's Content-Length, or 0 where it has none."""
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0


def values_in(body: bytes) -> int:
    """Return about how many values a JSON body holds, at most: it is cheaper to count them than to read them."""
    if (commas := body.count(b",")) <= MOST_VALUES:
        return commas
    return count_outside(body, b",")


async def _whole(receive: Receive, limit: int) -> bytes | None:
    """Read a body to its end; None if it is longer than `limit` bytes."""
    read = bytearray()
    while True:
        message = await receive()
        read += message.get("body", b"")
        if len(read) > limit:
            return None
        if message["type"] != "http.request" or not message.get("more_body"):
            return bytes(read)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read, and then what comes after it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _counted(receive: Receive, limit: int) -> Receive:
    read = 0

    async def counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise HTTPException(413, _refusal(limit))
        return message

    return counted


def _refusal(limit: int) -> str:
    return f"The request body is longer than {limit} bytes"


def refuse_unportable(value: JsonValue, depth: int = 0) -> None:
    """Raise ValueError if a body holds what Python's parser lets pass and others do not.

    That is NaN and infinities, integers beyond 64 bits, lone surrogates, and nesting beyond `MAX_DEPTH`.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    match value:
        case dict():
            for key, part in value.items():
                refuse_unportable(key)
                refuse_unportable(part, depth + 1)
        case list():
            for part in value:
                refuse_unportable(part, depth + 1)
        case _:
            _refuse_scalar(value)


def _refuse_scalar(value: JsonValue) -> None:
    match value:
        case str() if not value.isascii() and SURROGATES.search(value):
            raise ValueError("a string holds half of a surrogate pair")
        case float() if not isfinite(value):
            raise ValueError(f"{value} is not a JSON number")
        case int() if value not in INTEGERS:
            raise ValueError("an integer is beyond 64 bits")
