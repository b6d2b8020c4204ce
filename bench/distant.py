"""Two machines with nothing in common but a database, an object store and Prefect's server, as a user would run them.

One has `assay serve`, the other a worker that is started by hand (docs/operating.md, *Workers on other machines*).
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx

from bench.processes import children, is_alive
from bench.victims import STARTED_WITHIN_S, free_port, wait_for
from store.objects.objects import Objects
from store.objects.place import place_of
from tests import network, objects, postgres
from tests.network import LOOPBACK, Place

SECRET_KEY: Final = "the same for all"
API_KEY: Final = "for-whoever-asks-from-another-machine"
SIGN_IN: Final = "assay:for workers on other machines"
AT_MOST: Final = {"ASSAY_MAX_JOBS": "2"}
"""So that one worker does not take all jobs."""

SERVE: Final = ("cli", "serve")
WORK: Final = ("prefect", "worker", "start", "--pool", "assay", "--type", "assay")


class Machine:
    """A machine that runs one of our programs, on a disk that is empty whenever it starts."""

    def __init__(self, folder: Path, place: Place, program: Sequence[str], settings: Mapping[str, str]) -> None:
        """Start it; its disk and its log are called like its program, in the folder."""
        self.place = place
        self._home = folder / "-".join(program[:2])
        self._command = place.command(folder, [sys.executable, "-m", *program])
        self._environment = os.environ | settings | {"ASSAY_HOME": str(self._home)}
        self._ended = frozenset[int]()
        self.start()

    @property
    def pid(self) -> int:
        """Its first process."""
        return self._process.pid

    @property
    def pids(self) -> frozenset[int]:
        """Its processes, those that were killed on it included."""
        return self._ended.union([self.pid, *children(self.pid)] if is_alive(self.pid) else [])

    def start(self) -> None:
        """Start it on an empty disk."""
        with self._home.with_suffix(".log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def kill(self) -> None:
        """Kill all that runs on it, and take its disk away."""
        self._ended = self.pids
        self._process.kill()
        self._process.wait()
        wait_for(lambda: not any(map(is_alive, self._ended)), 10.0)
        shutil.rmtree(self._home, ignore_errors=True)  # that of a namespace is gone by itself

    def stop(self) -> None:
        """End it."""
        end(self._process)


class Api(NamedTuple):
    """An API process, and the key that it asks for."""

    url: str
    key: str = ""


class Apart(NamedTuple):
    """Both machines, an API process on each of two, and the results as a third machine reads them."""

    service: Machine
    distant: Machine
    apis: tuple[Api, Api]
    settings: Mapping[str, str]
    results: Path
    objects: Objects


def end(process: "subprocess.Popen[bytes]") -> None:
    """Tell a process to end, and kill it if it does not."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    process.kill()


def in_store(folder: Path) -> dict[str, str]:
    """Return the settings by which results lie in the object store of `tests.objects`, apart from those of others."""
    return {"ASSAY_STORE": f"{os.environ[objects.VARIABLE]}/{folder.name}", "ASSAY_SECRET_KEY": SECRET_KEY}


@contextmanager
def working_apart(folder: Path, database: str, endpoint: str) -> Iterator[Apart]:
    """Run both machines, over a database and an object store, and another API process on this one.

    All that they write is in the folder, but what machines in namespaces have in memory.
    """
    net = network.found()
    port = str(free_port())
    settings = {
        "ASSAY_DATABASE_URL": database,
        **in_store(folder),
        **AT_MOST,
        "ASSAY_HOST": LOOPBACK if net.why_not else "0.0.0.0",
        "ASSAY_PORT": port,
        "ASSAY_API_KEYS": API_KEY,
        "ASSAY_ALLOW_ENDPOINTS": urlsplit(endpoint).netloc,
        "PREFECT_API_AUTH_STRING": SIGN_IN,
    }
    with ExitStack() as stack:
        settings["PREFECT_API_URL"] = stack.enter_context(prefect_server(folder, net.address))
        service, distant = (
            stack.enter_context(_stopped(Machine(folder, place, program, settings)))
            for place, program in zip(net.places, (SERVE, WORK), strict=True)
        )
        first = Api(f"http://{service.place.address}:{port}", API_KEY)
        wait_for(lambda: _answers(f"{first.url}/health"), STARTED_WITHIN_S)
        second = stack.enter_context(second_api(folder, settings))
        reader = folder / "reader"
        objects = place_of(settings["ASSAY_STORE"], reader)
        yield Apart(service, distant, (first, second), settings, reader / "results", objects)


@contextmanager
def prefect_server(folder: Path, address: str) -> Iterator[str]:
    """Run Prefect's own server on Postgres, as a user does whose workers are elsewhere; yields the URL of its API."""
    port = free_port(address)
    url = f"http://{address}:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", address, "--port", str(port)]
    with postgres.database(os.environ[postgres.VARIABLE]) as database:
        environment = {
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_DATABASE_CONNECTION_URL": database,
            "PREFECT_SERVER_API_AUTH_STRING": SIGN_IN,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        }
        with running(command, environment, folder / "prefect.log"):
            wait_for(lambda: _answers(f"{url}/health"), STARTED_WITHIN_S)
            yield url


@contextmanager
def second_api(folder: Path, settings: Mapping[str, str]) -> Iterator[Api]:
    """Run another API process on the same database, on a home of its own, for this machine alone."""
    port = free_port()
    own = {"ASSAY_HOME": str(folder / "second"), "ASSAY_PORT": str(port), "ASSAY_HOST": LOOPBACK, "ASSAY_API_KEYS": ""}
    with running([sys.executable, "-m", "api"], {**settings, **own}, folder / "second.log"):
        yield Api(f"http://{LOOPBACK}:{port}")


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[None]:
    """Run a process until the context ends."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        end(process)


@contextmanager
def _stopped(machine: Machine) -> Iterator[Machine]:
    """Stop a machine when the context ends."""
    try:
        yield machine
    finally:
        machine.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False
