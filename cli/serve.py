"""`assay serve`: the supervisor of the Prefect server, the worker and the API."""

import errno
import fcntl
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from cli.children import Child, Command, stop_all
from cli.place import noted
from cli.signals import stop_signals
from core.errors import Misconfigured
from core.settings import Settings, make_folder
from flows.worker.certificate import one_certificate
from store.files.atomic import make_private
from tasks.endpoint.guard import Policy

QUIET_S = 60.0
"""A process that has not got anywhere for so long as the service starts will not: a busy machine is merely slow."""

STARTUP_TIMEOUT_S = 900.0
FOREIGN_S = 20.0
"""How long a Prefect server of the user's may take to answer."""

PREFECT_PORT = 4200
TEND_INTERVAL_S = 0.1

Say = Callable[[str], None]

DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_WORKER_QUERY_SECONDS": "2",
    # The recorder takes a third of the server's time per task run if it works in batches.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    # Events would be vacuumed without that, and runs be kept for ever.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    # Arrow's own allocator holds on to 45 MB more in a worker at 6,000 samples.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    # The allocator keeps a heap for each of many threads: 10 MB more at 20,000 samples.
    "MALLOC_ARENA_MAX": "2",
    # Freed texts of 1 MB would stay on those heaps, between what is used: 25 MB more in the API for a Parquet file.
    "MALLOC_MMAP_THRESHOLD_": "524288",
}
"""Of the environment of all processes, where it does not say otherwise."""

SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""No process takes a module from the folder in which the user stands, such as flows/ of a project of theirs."""


class CannotServe(Exception):
    """The service cannot start: its home or its port is another's."""


@contextmanager
def sole_supervisor(home: Path) -> Iterator[None]:
    """Hold the lock of `home`; raises CannotServe, naming the process that holds it, or Misconfigured."""
    make_folder(home, "ASSAY_HOME")
    try:
        lock_file = (home / "serve.lock").open("a+")
    except OSError as error:
        raise Misconfigured(f"ASSAY_HOME {home} cannot be used: {error.strerror}") from None
    with lock_file as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CannotServe(f"assay serve runs already on {home} (pid {lock.read().strip()})") from None
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


@contextmanager
def service(settings: Settings, say: Say) -> Iterator["Service"]:
    """Run the service in the background of this process until the context ends.

    Raises CannotServe, TimeoutError if it does not get ready, and KeepsEnding if one of its processes does not stay.
    """
    os.umask(0o077)  # what is kept is for its owner alone
    with sole_supervisor(settings.home):
        from store.recover import losses
        from store.workspace import Workspace

        for loss in losses(Workspace.open(settings, migrating=True)):
            say(f"Warning    {loss}")
        supervised = Service(settings, say)
        try:
            with noted(settings.home, supervised.listening_url):
                supervised.wait_until_ready()
                yield supervised
        finally:
            supervised.stop()


class Service:
    """The processes of the service on one ASSAY_HOME."""

    def __init__(self, settings: Settings, say: Say) -> None:
        """Start all processes; raises CannotServe if the port is taken, Misconfigured for what no job could go by."""
        Policy(allow=settings.allow_endpoints)
        self.prefect_url = os.environ.get("PREFECT_API_URL", "")
        if self.prefect_url:
            wait_for_prefect(self.prefect_url)
        api = listen(settings.host, settings.port)
        settings = settings.model_copy(update={"port": api.getsockname()[1]})
        self._settings = settings
        self._say = say
        environment = DEFAULTS | os.environ | settings.environment() | SAFE_PATH
        environment.setdefault("PREFECT_HOME", str(settings.home / "prefect"))
        commands: list[tuple[str, list[str], socket.socket | None]] = []
        if not self.prefect_url:
            prefect = listen_from("127.0.0.1", PREFECT_PORT)
            port = str(prefect.getsockname()[1])
            self.prefect_url = f"http://127.0.0.1:{port}/api"
            environment |= {
                **_signing_in(settings.home, environment),
                "PREFECT_API_URL": self.prefect_url,
                "PREFECT_SERVER_API_PORT": port,
                "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": self.prefect_url.removesuffix("/api"),
                "PREFECT_API_SSL_CERT_FILE": str(one_certificate(settings.home)),
                "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",  # each client would ask for a token, and there is none
            }
            commands.append(("prefect", ["flows.worker.server", str(prefect.fileno())], prefect))
        commands += [(name, ["flows"], None) for name in worker_names(settings.workers)]
        commands.append(("api", ["api", str(api.fileno())], api))
        # The control loop tries again by itself, sooner than Prefect's client would.
        special = {"api": {"PREFECT_CLIENT_MAX_RETRIES": "0"}}
        self.children = [
            Child(
                Command(
                    name=name,
                    arguments=[sys.executable, "-m", *arguments],
                    environment=environment | special.get(name, {}),
                    log=settings.home / "logs" / f"{name}.log",
                    listener=listener,
                )
            )
            for name, arguments, listener in commands
        ]
        say(f"Pages      {self.url}")
        say(f"Prefect    {self.prefect_url.removesuffix('/api')}")
        if "prefect" in {name for name, *_ in commands}:
            say(f"  sign in  with what is in {sign_in_file(settings.home)}")
        say(f"API        {self.url} (its routes: /docs)")
        say(f"Data       {settings.home}")

    @property
    def url(self) -> str:
        """The base URL for clients."""
        return self._settings.url

    @property
    def listening_url(self) -> str:
        """The base URL on this machine, which no proxy need be up for."""
        return self._settings.listening_url

    def wait_until_ready(self) -> None:
        """Wait until a job can run, saying what is there already; raises TimeoutError."""
        begun = time.monotonic()
        health = f"{self.listening_url}/health"
        if any(child.command.name == "prefect" for child in self.children):
            self._say("Starting   Prefect first, which takes the longest")
        self._wait_for(f"{self.prefect_url}/health", begun, ("prefect",))
        self._say(f"           Prefect answers after {time.monotonic() - begun:.1f} s")
        self._wait_for(health, begun, ("api",), ready=False)
        self._say(f"           the API answers after {time.monotonic() - begun:.1f} s")
        self._wait_for(health, begun, ("api", *worker_names(self._settings.workers)))
        self._say(f"Ready      after {time.monotonic() - begun:.1f} s")

    def _wait_for(self, url: str, begun: float, names: Sequence[str], *, ready: bool = True) -> None:
        watched = [child for child in self.children if child.command.name in names]
        wait_for(url, begun, watched, self.tend, self._settings.home / "logs", ready=ready)

    def tend(self) -> None:
        """Restart what has died; raises KeepsEnding for what dies whenever it is started."""
        for child in self.children:
            if event := child.tend():
                self._say(event)

    def stop(self) -> None:
        """End all processes."""
        stop_all(self.children)


def worker_names(count: int) -> list[str]:
    """Return what the supervisor calls so many workers, and their logs."""
    return ["worker"] if count == 1 else [f"worker-{number}" for number in range(1, count + 1)]


def serve(settings: Settings, say: Say) -> int:
    """Run the service until SIGTERM or Ctrl-C; return the exit code. Raises as `service` does."""
    with stop_signals() as told:
        try:
            with service(settings, say) as supervised:
                while not told:
                    time.sleep(TEND_INTERVAL_S)
                    supervised.tend()
        except KeyboardInterrupt:
            pass
    say("Stopped")
    return 0


def wait_for(
    url: str, begun: float, watched: Sequence[Child], tend: Callable[[], None], logs: Path, *, ready: bool = True
) -> None:
    """Wait until a GET of `url` answers, and is a success if `ready`, as long as the processes show signs of life.

    Raises TimeoutError for a start that was `begun` too long ago, or processes that stood still throughout this wait.
    """
    life, alive_at = [child.life for child in watched], time.monotonic()
    with httpx.Client(timeout=2, trust_env=False) as http:  # one: each reads the public certificates, for 25 ms
        while not _answers(http, url, ready=ready):
            tend()
            now = time.monotonic()
            if (seen := [child.life for child in watched]) != life:
                life, alive_at = seen, now
            if now - alive_at > QUIET_S or now - begun > STARTUP_TIMEOUT_S:
                names = " and ".join(child.command.name for child in watched)
                quiet = f", and for {now - alive_at:.0f} s {names} got nowhere"
                raise TimeoutError(
                    f"the service was not ready after {now - begun:.0f} s: {url} did not answer"
                    f"{quiet if now - alive_at > QUIET_S else ''}; see {logs}"
                )
            time.sleep(TEND_INTERVAL_S)


def wait_for_prefect(api: str) -> None:
    """Wait until the Prefect server answers that the user has named; raises CannotServe, which says how it does not."""
    url = urlsplit(api)
    shown = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
    deadline = time.monotonic() + FOREIGN_S
    while True:
        try:
            answer = httpx.get(f"{api.rstrip('/')}/health", timeout=5)
            if answer.is_success:
                return
            how = f"answers with {answer.status_code}: the URL of Prefect's API ends in /api"
        except httpx.ConnectError as error:
            how = "refuses connections" if "refused" in str(error) else f"cannot be reached: {error}"
        except (httpx.TransportError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            how = f"does not answer: {error}"
        if time.monotonic() > deadline:
            raise CannotServe(
                f"PREFECT_API_URL points at {shown}, which {how}; start a Prefect server there, or unset the variable "
                "to have one started here"
            )
        time.sleep(TEND_INTERVAL_S)


def _answers(http: httpx.Client, url: str, *, ready: bool) -> bool:
    """Tell whether a GET of `url` answers, and is a success if `ready`."""
    try:
        return http.get(url).is_success or not ready
    except httpx.TransportError:
        return False  # not listening yet


def sign_in_file(home: Path) -> Path:
    """Return where the user and password lie by which people and programs sign in to our own Prefect server."""
    return home / "prefect" / "sign-in"


def _signing_in(home: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the server asks of its clients, and our processes show: what the user set, or what is in the file.

    The file is made, for its owner alone, where there is none.
    """
    chosen = environment.get("PREFECT_SERVER_API_AUTH_STRING")
    file = sign_in_file(home)
    if not chosen:
        make_private(file, f"assay:{secrets.token_urlsafe(24)}\n")
        chosen = file.read_text(encoding="utf-8").strip()
        if not chosen:
            raise Misconfigured(f"{file} is empty: delete it, and another is made")
    return {"PREFECT_SERVER_API_AUTH_STRING": chosen, "PREFECT_API_AUTH_STRING": chosen}


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there, on any free port for 0; raises CannotServe if it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotServe(f"port {port} of {host} is taken; set ASSAY_PORT to another") from None
        raise Misconfigured(f"nothing can listen on ASSAY_HOST {host}, ASSAY_PORT {port}: {error.strerror}") from None


def listen_from(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `port`, or on the next above it that is free."""
    while True:
        try:
            return listen(host, port)
        except CannotServe:
            port += 1
