"""The processes of a service: started, restarted with backoff when they die, and ended with it."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cli.signals import forget_inherited

GRACE_S = 5.0
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 10.0
STEADY_S = 30.0
"""A child that lived so long is restarted at once when it dies."""

MOST_ENDS = 3
"""So often in a row a child may end by itself before it is steady; being killed says nothing of the next start."""

LAST_LINES = 8
LAST_BYTES = 8_000
"""What is told of the log of a child that keeps ending."""

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Command:
    """How a child is started; its output goes to `log`, and it inherits `listener`."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    listener: socket.socket | None = None


class KeepsEnding(Exception):
    """A child ends whenever it is started; the message has its last words."""


class Child:
    """One process of the service."""

    def __init__(self, command: Command) -> None:
        """Start it."""
        self.command = command
        self._failures = 0
        self._own_ends = 0
        self._restart_at: float | None = None
        self._process = self._start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def life(self) -> tuple[int, int, int]:
        """What is another as long as the child gets anywhere: process, bytes of its log, time on a processor."""
        log = self.command.log
        return self.pid, log.stat().st_size if log.exists() else 0, _ticks(self.pid)

    def tend(self) -> str | None:
        """Restart the child if it is dead and its backoff over; return what happened, if anything did.

        Raises KeepsEnding if it has ended too often.
        """
        if self._process.poll() is None:
            return None
        now = time.monotonic()
        if self._restart_at is None:
            self._note_end(steady=now - self._started_at > STEADY_S)
            self._restart_at = now + backoff_s(self._failures)
            return f"{self.command.name} ended with code {self._process.returncode}; see {self.command.log}"
        if now < self._restart_at:
            return None
        self._restart_at = None
        self._process = self._start()
        return f"{self.command.name} was started again (pid {self.pid})"

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self._process.poll() is None:
            self._process.terminate()

    def stop(self, deadline: float) -> None:
        """Wait until `deadline` (monotonic) for the end, then force it."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _note_end(self, *, steady: bool) -> None:
        self._failures = 0 if steady else self._failures + 1
        self._own_ends = 0 if steady or self._process.returncode < 0 else self._own_ends + 1
        if self._own_ends == MOST_ENDS:
            raise KeepsEnding(
                f"{self.command.name} ended {MOST_ENDS} times as soon as it was started, "
                f"the last time with code {self._process.returncode}; {self._last_words()}"
            )

    def _last_words(self) -> str:
        """Return the last lines that the process has written, and where they are."""
        try:
            with self.command.log.open("rb") as log:
                log.seek(max(self._log_begins_at, log.seek(0, os.SEEK_END) - LAST_BYTES))
                lines = log.read().decode(errors="replace").strip().splitlines()
        except OSError as error:
            return f"{self.command.log} cannot be read: {error.strerror}"
        return "\n  ".join((f"the end of {self.command.log}:", *lines[-LAST_LINES:]))

    def _start(self) -> subprocess.Popen[bytes]:
        self._started_at = time.monotonic()
        with _output(self.command.log) as log:
            self._log_begins_at = log.tell()
            return subprocess.Popen(
                self.command.arguments,
                env=dict(self.command.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[self.command.listener.fileno()] if self.command.listener else [],
                preexec_fn=_begin,
            )


def _output(log: Path) -> BinaryIO:
    """Open a child's log; for want of one, as on a full disk, no child is left dead."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("ab")
    except OSError:
        return Path(os.devnull).open("ab")


def _ticks(pid: int) -> int:
    """Return for how long a process has had a processor, where the system tells."""
    try:
        user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    except (OSError, ValueError):
        return 0
    return int(user) + int(system)


def backoff_s(failures: int) -> float:
    """Return the wait before the restart after so many early ends in a row; the first is free."""
    doublings = min(failures - 2, 16)  # far beyond the longest, and no float overflows
    return min(FIRST_BACKOFF_S * 2**doublings, LONGEST_BACKOFF_S) if failures > 1 else 0.0


def stop_all(children: Sequence[Child]) -> None:
    """End all children, by force after `GRACE_S`."""
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + GRACE_S
    for child in children:
        child.stop(deadline)


def _begin() -> None:
    """Have this process, just forked, be ended by its parent alone, and with it however that ends."""
    forget_inherited()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setpgid(0, 0)  # a Ctrl-C in the terminal is the supervisor's to pass on
