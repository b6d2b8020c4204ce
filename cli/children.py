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

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Command:
    """How a child is started; its output goes to `log`, and it inherits `listener`."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    listener: socket.socket | None = None


class Child:
    """One process of the service."""

    def __init__(self, command: Command) -> None:
        """Start it."""
        self.command = command
        self._failures = 0
        self._restart_at: float | None = None
        self._process = self._start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def tend(self) -> str | None:
        """Restart the child if it is dead and its backoff over; return what happened, if anything did."""
        if self._process.poll() is None:
            return None
        now = time.monotonic()
        if self._restart_at is None:
            self._failures = 0 if now - self._started_at > STEADY_S else self._failures + 1
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

    def _start(self) -> subprocess.Popen[bytes]:
        self._started_at = time.monotonic()
        with _output(self.command.log) as log:
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
