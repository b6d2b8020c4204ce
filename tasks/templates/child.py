"""The process in which templates are rendered that do more than read: `tasks.templates.pool` starts it.

The kernel bounds its time and memory, and ends it where it is beyond them, whatever it is at. It can open nothing.
"""

import json
import os
import resource
import signal
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from core.errors import TemplateInvalid
from tasks.templates.rendering import Unrendered, rendered
from tasks.templates.template import BodyTemplate, compile_body, of_recipe

SLICE_S: Final = 0.05
SLICE_BYTES: Final = 1_000_000
"""After so much time, or with so much to say, it answers with what it has."""

NO_MEMORY: Final = 97
"""The exit code of a process that may have no more memory."""

LARGEST_BODY: Final = 60_000_000
_LENGTH: Final = struct.Struct("!I")


def main(seconds: float, memory: int) -> None:
    """Answer requests until the parent is gone; each may take so many seconds of the processor for a rendering."""
    with socket.socket(fileno=0) as channel, channel.makefile("rb") as incoming:
        _warm_up()
        _confine(memory)
        _send(channel, b"null")
        try:
            while prefix := incoming.read(_LENGTH.size):
                (length,) = _LENGTH.unpack(prefix)
                _send(channel, _answer(incoming.read(length), seconds))
        except MemoryError:
            os._exit(NO_MEMORY)


def _warm_up() -> None:
    """Have Python load what it does only when it is wanted: for names of characters, for entities, and for errors."""
    for source in ("{{ '\\N{BULLET}' | striptags ~ 1 // 0 }}", "{{"):
        with suppress(TemplateInvalid):
            rendered(compile_body({"warm": source}, where="warm"), {}, None)


def _confine(memory: int) -> None:
    """Have the kernel keep this process to so many bytes more than it has, and to what it has open."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    bounds = {
        resource.RLIMIT_AS: pages * resource.getpagesize() + memory,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 0,
    }
    for limit, bound in bounds.items():
        resource.setrlimit(limit, (bound, bound))


def _send(channel: socket.socket, message: bytes) -> None:
    channel.sendall(_LENGTH.pack(len(message)) + message)


def _answer(message: bytes, seconds: float) -> bytes:
    """Return the bodies of the first of the rows that are given, or of all."""
    _limit_time(seconds)
    request = orjson.loads(message)
    template = _template(request["template"])
    _limit_time(seconds + SLICE_S)
    return b"[" + b",".join(_bodies(template, request["given"])) + b"]"


def _limit_time(seconds: float) -> None:
    """Have the kernel end this process after so many more seconds of the processor."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


@lru_cache(maxsize=64)
def _template(recipe: str) -> BodyTemplate:
    return of_recipe(recipe)


def _bodies(template: BodyTemplate, given: Sequence[tuple[Any, Any]]) -> Iterator[bytes]:
    until, size = time.monotonic() + SLICE_S, 0
    for row, sample in given:
        body = _body(template, row, sample)
        yield body
        size += len(body)
        if size > SLICE_BYTES or time.monotonic() > until:
            return


def _body(template: BodyTemplate, row: Any, sample: Any) -> bytes:
    """Return a body as JSON, or as a list with outcome and reason why there is none."""
    body = rendered(template, row, sample)
    if isinstance(body, Unrendered):
        return json.dumps([body.outcome, body.error, body.limit]).encode()
    try:
        written = orjson.dumps(body)
    except TypeError as error:  # such as half of a surrogate pair
        return json.dumps(["error", f"{template.where}: what it gives is not JSON: {error}", None]).encode()
    if len(written) > LARGEST_BODY:
        return json.dumps(["error", f"{template.where}: it gives more than {LARGEST_BODY:,} bytes", None]).encode()
    return written
