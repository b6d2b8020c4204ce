"""Bounds on request bodies: their size on the wire, and what JSON may hold."""

import re
from math import isfinite
from typing import Final

from fastapi import HTTPException
from pydantic import JsonValue
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import answer

MAX_DEPTH: Final = 100
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting its body as it is read."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.upload_limit if UPLOADS.match(scope["path"]) else self.limit
        if declared_length(scope) > limit:
            await answer(scope, 413, _refusal(limit))(scope, receive, send)
        else:
            await self.app(scope, _counted(receive, limit), send)


def declared_length(scope: Scope) -> int:
    """Return the request's Content-Length, or 0 where it has none."""
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0


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
