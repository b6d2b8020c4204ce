"""Requests with large bodies, answered in another process: reading them holds a lock that all threads here wait for."""

import asyncio
import pickle
import socket
import struct
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final

from starlette.types import Message, Scope

from core.settings import Settings

AT_A_TIME: Final = 3
IDLE_S: Final = 60.0
"""After so long without such a request the process ends."""

CARRIED: Final = frozenset(
    {"type", "http_version", "method", "scheme", "path", "raw_path", "query_string", "root_path", "headers", "client"}
    | {"server"}
)
"""What of a request's scope can be carried to another process."""

_LENGTH: Final = struct.Struct("!Q")

Frame = tuple[int, Any]
"""What is said about the request of a number: it, or the messages of its answer. Of number 0 are tidings."""


class Lost(Exception):
    """The process ended before it answered."""


async def receive(reader: StreamReader) -> Frame:
    """Return the next frame, which one of our own processes wrote; raises IncompleteReadError at the end."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    frame: Frame = pickle.loads(await reader.readexactly(length))
    return frame


async def send(writer: StreamWriter, frame: Frame) -> None:
    """Write a frame."""
    content = pickle.dumps(frame, protocol=pickle.HIGHEST_PROTOCOL)
    writer.write(_LENGTH.pack(len(content)))
    writer.write(content)
    await writer.drain()


class Aside:
    """One process that answers requests as this one would, started when it is wanted; `wake` is passed on to here."""

    def __init__(self, settings: Settings, wake: Callable[[], None]) -> None:
        """Start nothing yet."""
        self._settings, self._wake = settings, wake
        self._places, self._starting = asyncio.Semaphore(AT_A_TIME), asyncio.Lock()
        self._writer: StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._asked: dict[int, asyncio.Future[list[Message]]] = {}
        self._numbers = count(1)
        self._ending: asyncio.TimerHandle | None = None

    async def answer(self, scope: Scope, body: bytes) -> list[Message]:
        """Return what is sent for a request whose body was read; raises Lost."""
        async with self._places:
            return await self._answer({name: value for name, value in scope.items() if name in CARRIED}, body)

    async def _answer(self, scope: Mapping[str, Any], body: bytes) -> list[Message]:
        if self._ending:
            self._ending.cancel()
        async with self._starting:
            writer = self._writer = self._writer or await self._start()
        number = next(self._numbers)
        answered: asyncio.Future[list[Message]] = asyncio.get_running_loop().create_future()
        self._asked[number] = answered
        try:
            await send(writer, (number, (scope, body)))
            return await answered
        except OSError as error:
            raise Lost from error
        finally:
            del self._asked[number]
            if not self._asked:
                self._ending = asyncio.get_running_loop().call_later(IDLE_S, self.end)

    def end(self) -> None:
        """Have the process end, which it does when nobody can hear it."""
        if self._writer:
            self._writer.close()
            self._writer = None

    async def _start(self) -> StreamWriter:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen([sys.executable, "-m", "api.aside"], stdin=theirs.fileno())  # noqa: ASYNC220 - 2 ms
        reader, writer = await asyncio.open_connection(sock=ours)
        self._listening = asyncio.create_task(self._listen(reader, writer, process))
        await send(writer, (0, self._settings))
        return writer

    async def _listen(self, reader: StreamReader, writer: StreamWriter, process: subprocess.Popen[bytes]) -> None:
        """Hand out what the process says, until it ends."""
        try:
            while True:
                number, said = await receive(reader)
                if number == 0:
                    self._wake()
                elif not self._asked[number].done():
                    self._asked[number].set_result(said)
        except (asyncio.IncompleteReadError, OSError):
            if self._writer is writer:
                self._writer = None
                for answered in self._asked.values():
                    if not answered.done():
                        answered.set_exception(Lost())
        finally:
            writer.close()
            await asyncio.to_thread(process.wait)
