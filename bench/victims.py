"""The processes of a service, and their sudden death (on Linux)."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, TypeVar

import httpx

from bench.processes import children, is_alive

T = TypeVar("T")
Victim = Literal["worker", "api", "prefect", "service"]

MODULES: Final = {"worker": "flows", "api": "api", "prefect": "flows.worker.server"}
STARTED_WITHIN_S: Final = 300.0


def kill_child(supervisor: int, victim: Victim, number: int = 0) -> None:
    """Kill the child that is the victim, of several workers the one of that number, and wait until it is gone.

    One that is not up yet is waited for.
    """
    pid = wait_for(lambda: child(supervisor, victim, number), 30.0)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(pid), 10.0)


def worker_of(supervisor: int, number: int = 0) -> int:
    """Return the process of one of a service's workers, once it is up."""
    return wait_for(lambda: child(supervisor, "worker", number), 30.0)


def child(supervisor: int, victim: Victim, number: int = 0) -> int | None:
    """Return the process of the service that is the victim; None while there are fewer."""
    found = [pid for pid in children(supervisor) if f"-m\0{MODULES[victim]}\0" in _command(pid)]
    return found[number] if number < len(found) else None


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def wait_for(check: Callable[[], T | None], timeout_s: float) -> T:
    """Return what `check` returns once that is something; raises TimeoutError."""
    deadline = time.monotonic() + timeout_s
    while not (found := check()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"it was not so in {timeout_s:.0f} s")
        time.sleep(0.01)
    return found


def free_port(address: str = "127.0.0.1") -> int:
    """Return a port of an address of this machine that nobody listens on."""
    with socket.create_server((address, 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def endpoint_process(latency_s: float, address: str = "127.0.0.1") -> Iterator[str]:
    """Run the scripted endpoint in a process of its own; yields its URL."""
    command = [sys.executable, "-m", "tests.scripted", "--host", address, "--latency", str(latency_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


class Service:
    """`assay serve` on a home and a port of its own."""

    def __init__(self, home: Path, port: int, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        """Start it, with other settings and variables as they are given, and wait until it is ready."""
        self.url = f"http://127.0.0.1:{port}"
        self._log = home / "serve.log"
        self._environment = os.environ | {"ASSAY_HOME": str(home), "ASSAY_PORT": str(port), **settings}
        self._process = self._start()
        try:
            wait_for(self.is_ready, STARTED_WITHIN_S)
        except TimeoutError:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """The process of the supervisor."""
        return self._process.pid

    def said(self, what: str) -> str:
        """Return what follows a word at the beginning of a line that it printed."""
        lines = self._log.read_text(encoding="utf-8").splitlines()
        return next(line.split()[1] for line in lines if line.startswith(what))

    def is_ready(self) -> bool:
        """Whether a job can run."""
        try:
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def kill(self, victim: Victim, number: int = 0) -> None:
        """Kill one of its processes, or the supervisor, with which all others go; then it is started again."""
        if victim != "service":
            kill_child(self._process.pid, victim, number)
            return
        all_pids = [self._process.pid, *children(self._process.pid)]
        self._process.kill()
        self._process.wait()
        wait_for(lambda: not any(map(is_alive, all_pids)), 10.0)
        self._process = self._start()

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen([sys.executable, "-m", "cli", "serve"], env=self._environment, stdout=log)
