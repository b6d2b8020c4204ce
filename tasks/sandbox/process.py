"""A process that can be killed, and the messages to and from it: JSON texts behind their length."""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from core.errors import ServiceError

START_S: Final = 30.0
PART_BYTES: Final = 1_000_000

_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Program:
    """What a process runs: the `arguments` of an isolated Python, and the bytes that a reply of it may have.

    After so many `requests` another takes its place, if that is set.
    """

    arguments: tuple[str, ...]
    largest_reply: int
    requests: int | None = None


class Lost(Exception):
    """The process ended, or said what it should not."""


class Process:
    """A child that answers requests one after another, with no environment and no files of ours.

    It ends when its end of the socket closes, so with this process, however that comes about. (PR_SET_PDEATHSIG would
    end it with the thread that started it.)
    """

    def __init__(self, program: Program) -> None:
        """Start it, and wait until it is ready; raises ServiceError saying why it is not."""
        self._program = program
        self.asked = 0
        """The requests that it was sent."""
        self._socket, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", *program.arguments],
                    env={},
                    cwd="/",
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
        except OSError as error:
            self._socket.close()
            raise ServiceError(f"the sandbox cannot start a process: {error}") from error
        try:
            greeting = self._receive(time.monotonic() + START_S)
        except (Lost, TimeoutError) as error:
            self.kill()
            raise ServiceError(f"the sandbox's process did not start: {error}") from error
        if greeting != b"null":
            self.kill()
            raise ServiceError(f"the sandbox's process did not start: {greeting.decode(errors='replace')}")

    @property
    def pid(self) -> int:
        """The process id, which is that of its group too."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def is_worn(self) -> bool:
        """Whether it has answered as many requests as it is to."""
        return self._program.requests is not None and self.asked >= self._program.requests

    @property
    def exit_code(self) -> int | None:
        """How it ended, if it did: what it said, or the signal that ended it, negative."""
        return self._process.poll()

    def ask(self, request: bytes, within_s: float) -> bytes:
        """Return the answer to a request; raises TimeoutError, or Lost if there will be none."""
        deadline = time.monotonic() + within_s
        self.asked += 1
        try:
            self._socket.settimeout(within_s)
            self._socket.sendall(_LENGTH.pack(len(request)) + request)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Lost("it ended") from error
        return self._receive(deadline)

    def kill(self) -> None:
        """End the process and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._socket.close()

    def _receive(self, deadline: float) -> bytes:
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, deadline))
        if length > self._program.largest_reply:
            raise Lost(f"it answered with {length} bytes")
        return self._read(length, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        """Read so many bytes until `deadline` (monotonic)."""
        read = bytearray()
        while len(read) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("it did not answer in time")
            self._socket.settimeout(left)
            try:
                part = self._socket.recv(min(size - len(read), PART_BYTES))
            except ConnectionResetError:
                part = b""
            if not part:
                raise Lost("it ended")
            read += part
        return bytes(read)
