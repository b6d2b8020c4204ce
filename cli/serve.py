"""`assay serve`: the supervisor of the Prefect server, the worker and the API."""

import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import httpx

from cli.children import Child, Command, stop_all
from core.settings import Settings

STARTUP_TIMEOUT_S = 180.0
TEND_INTERVAL_S = 0.1

Say = Callable[[str], None]

PREFECT_DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_WORKER_QUERY_SECONDS": "2",
    # The recorder takes a third of the server's time per task run if it works in batches.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
}


class AlreadyServing(Exception):
    """Another supervisor holds this ASSAY_HOME."""


@contextmanager
def sole_supervisor(home: Path) -> Iterator[None]:
    """Hold the lock of `home`; raises AlreadyServing, naming the process that holds it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "serve.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise AlreadyServing(f"assay serve runs already on {home} (pid {lock.read().strip()})") from None
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


@contextmanager
def service(settings: Settings, say: Say) -> Iterator["Service"]:
    """Run the service in the background of this process until the context ends.

    Raises AlreadyServing, or TimeoutError if it does not get ready.
    """
    with sole_supervisor(settings.home):
        from store.workspace import Workspace

        Workspace.open(settings, migrating=True)
        supervised = Service(settings, say)
        try:
            supervised.wait_until_ready()
            yield supervised
        finally:
            supervised.stop()


class Service:
    """The processes of the service on one ASSAY_HOME."""

    def __init__(self, settings: Settings, say: Say) -> None:
        """Start all processes."""
        self._settings = settings
        self._say = say
        self.prefect_url = os.environ.get("PREFECT_API_URL", "")
        environment = PREFECT_DEFAULTS | os.environ | settings.environment()
        environment.setdefault("PREFECT_HOME", str(settings.home / "prefect"))
        commands = []
        if not self.prefect_url:
            port = next_free_port(4200)
            self.prefect_url = f"http://127.0.0.1:{port}/api"
            commands.append(
                ("prefect", ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)])
            )
        commands += [("worker", ["-m", "flows"]), ("api", ["-m", "api"])]
        environment |= {"PREFECT_API_URL": self.prefect_url, "PYTHONUNBUFFERED": "1"}
        # The control loop tries again by itself, sooner than Prefect's client would.
        special = {"api": {"PREFECT_CLIENT_MAX_RETRIES": "0"}}
        self.children = [
            Child(
                Command(
                    name=name,
                    arguments=[sys.executable, *arguments],
                    environment=environment | special.get(name, {}),
                    log=settings.home / "logs" / f"{name}.log",
                )
            )
            for name, arguments in commands
        ]
        say(f"Prefect    {self.prefect_url.removesuffix('/api')}")
        say(f"API        {self.url}")
        say(f"Data       {settings.home}")

    @property
    def url(self) -> str:
        """The base URL for clients."""
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return self._settings.public_url or f"http://{host}:{self._settings.port}"

    def wait_until_ready(self) -> None:
        """Wait until a job can run; raises TimeoutError."""
        begun = time.monotonic()
        while time.monotonic() - begun < STARTUP_TIMEOUT_S:
            self.tend()
            try:
                if httpx.get(f"{self.url}/health", timeout=2, trust_env=False).is_success:
                    self._say(f"Ready      after {time.monotonic() - begun:.1f} s")
                    return
            except httpx.TransportError:
                pass  # not listening yet
            time.sleep(TEND_INTERVAL_S)
        raise TimeoutError(f"the service was not ready after {STARTUP_TIMEOUT_S:.0f} s; see {self._settings.home}/logs")

    def tend(self) -> None:
        """Restart what has died."""
        for child in self.children:
            if event := child.tend():
                self._say(event)

    def stop(self) -> None:
        """End all processes."""
        stop_all(self.children)


def serve(settings: Settings, say: Say) -> int:
    """Run the service until SIGTERM or Ctrl-C; return the exit code."""
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)
    try:
        with service(settings, say) as supervised:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, stop)
            while not stopping:
                supervised.tend()
                time.sleep(TEND_INTERVAL_S)
    except KeyboardInterrupt:
        pass
    except AlreadyServing as error:
        say(str(error))
        return 2
    say("Stopped")
    return 0


def next_free_port(port: int) -> int:
    """Return `port`, or the next above it on which nobody listens on this machine."""
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                port += 1
            else:
                return port
