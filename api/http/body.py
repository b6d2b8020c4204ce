"""Bounds on request bodies: their size on the wire, and what JSON may hold."""

import re
from math import isfinite
from typing import Final

from fastapi import HTTPException
from pydantic import JsonValue
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.aside import Aside, Lost
from api.http.errors import answer
from core.json_size import count_outside

MAX_DEPTH: Final = 100
MOST_VALUES: Final = 500_000
DENSE: Final = 20_000
LARGE: Final = 200_000
"""Of how many values, or bytes, a body is read in another process: while one is read, no thread of its process runs."""

LONGEST_QUERY: Final = 16_384
MOST_PARAMETERS: Final = 200
SURROGATES: Final = re.compile("[\ud800-\udfff]")
INTEGERS: Final = range(-(2**63), 2**64)
"""The integers that every JSON library we use can carry."""


UPLOADS: Final = re.compile(r"/uploads/|/v1/files(/upload)?$|/api/assay/v1/files$")
"""The paths of bodies that go to disk as they come, and so may be longer than others."""


class BodyLimit:
    """Answer 413 to a request whose body, declared or streamed, is longer than `limit` bytes, or `upload_limit`.

    Large bodies are left to `aside`, if there is one.
    """

    def __init__(self, app: ASGIApp, limit: int, upload_limit: int, aside: Aside | None) -> None:
        self.app = app
        self.limit = limit
        self.upload_limit = upload_limit
        self.aside = aside

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
        elif self.aside and (len(whole) > LARGE or whole.count(b",") > DENSE):
            await _leave_to(self.aside, scope, whole, send)
        elif values_in(whole) > MOST_VALUES:
            refusal = f"The request body holds more than {MOST_VALUES:,} values; upload rows as a file"
            await answer(scope, 413, refusal)(scope, receive, send)
        else:
            await self.app(scope, again(whole, receive), send)


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


async def _leave_to(aside: Aside, scope: Scope, body: bytes, send: Send) -> None:
    """Have a request whose body was read answered in another process."""
    try:
        for message in await aside.answer(scope, body):
            await send(message)
    except Lost:
        refusal = "What read the request body has ended; send it again, or upload rows as a file"
        await answer(scope, 503, refusal)(scope, _disconnected, send)


async def _disconnected() -> Message:
    return {"type": "http.disconnect"}


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


def again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read, and then what comes after it."""
    given = False

    async def whole() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return whole


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
