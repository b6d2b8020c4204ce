import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import httpx
import hypothesis
import prefect.main  # noqa: F401 - before absl, whose handler of logs has pytest's stderr closed as Prefect sets up its own
import pytest
from nemo_microservices import NeMoMicroservices
from xdist.scheduler import LoadGroupScheduling

from cli.place import NOTE
from cli.serve import sign_in_file
from flows.worker.certificate import one_certificate
from flows.worker.tuning import collect_seldom
from tests.scripted import ScriptedEndpoint

# How long an example takes says more about the machine than about the code. EXAMPLES=1000 looks further.
EXAMPLES = int(os.environ.get("EXAMPLES", "30"))
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=EXAMPLES)
hypothesis.settings.load_profile("suite")

LONG_ID = 200
"""Characters of a parameter by which a test is still named."""


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long text by its parameter, and bytes: gzip puts the time into them, and the processes must agree."""
    return argname if isinstance(val, bytes) or (isinstance(val, str) and len(val) > LONG_ID) else None


def pytest_configure(config: pytest.Config) -> None:
    """Spare the tests' processes time, and their log lines."""
    if "SSL_CERT_FILE" not in os.environ:  # each client of plain HTTP reads all that are public, for 25 ms
        folder = TemporaryDirectory()
        config.add_cleanup(folder.cleanup)
        os.environ["SSL_CERT_FILE"] = str(one_certificate(Path(folder.name)))
    if hasattr(config, "workerinput"):
        atexit.register(end_silently)


def end_silently() -> None:
    """Leave unsaid what comes once Python has ended: DuckDB's lists of what leaked, which hide failures."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def needs_service(item: pytest.Item | None) -> bool:
    return isinstance(item, pytest.Function) and "served" in item.fixturenames


@pytest.hookimpl(tryfirst=True)  # before xdist, which puts the names of the groups into those of the tests
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have all tests that need the running service run in one process, which starts it once, and before all others.

    Those of a file stay as they are in it, and both processes put the files in the same order.
    """
    for item in items:
        if needs_service(item):
            item.add_marker(pytest.mark.xdist_group("service"))
    items.sort(key=lambda item: (item.get_closest_marker("xdist_group") is None, item.nodeid.partition("::")[0]))


def pytest_collection_finish() -> None:
    """Look for garbage among what the tests make, and not again and again among the thousands of tests."""
    collect_seldom()


class ByFile(LoadGroupScheduling):  # type: ignore[misc]
    """Run the tests of a file in one process, as those of a group, so that what they share is made once."""

    def _split_scope(self, nodeid: str) -> str:
        return str(super()._split_scope(nodeid)).partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    return ByFile(config, log) if config.getoption("dist") == "loadgroup" else None


SERVICE = pytest.StashKey[ExitStack]()
"""What ends the service that the tests share."""

ENDED = frozenset({"completed", "error", "cancelled"})

T = TypeVar("T")

WAIT_S = 60.0
"""How long a test waits for something that is sure to come, however busy the machine is."""

LONGEST_PAUSE_S = 0.1
"""Between two looks at what is waited for, each of which takes time of those that work on it."""


@dataclass(frozen=True)
class Served:
    """A running `assay serve`, and what it printed."""

    url: str
    home: Path
    process: "subprocess.Popen[str]"
    client: NeMoMicroservices
    printed: list[str]

    @property
    def prefect_api(self) -> str:
        return next(line.split()[1] for line in self.printed if line.startswith("Prefect")) + "/api"

    @property
    def prefect_sign_in(self) -> str:
        return sign_in_file(self.home).read_text().strip()

    @property
    def prefect_client(self) -> dict[str, str]:
        """What a Prefect client is told by."""
        return {"PREFECT_API_URL": self.prefect_api, "PREFECT_API_AUTH_STRING": self.prefect_sign_in}

    def ask_prefect(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Send a request to Prefect's server, signed in."""
        user, _, password = self.prefect_sign_in.partition(":")
        url = self.prefect_api + path
        return httpx.request(method, url, json=body, auth=(user, password), timeout=WAIT_S)

    def dataset(self, name: str, content: str | bytes) -> str:
        """Put a file where the service finds datasets, and return its URL."""
        path = self.home / "datasets" / "org" / "test" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return f"hf://datasets/org/test/{name}"

    def create(self, spec: Any, **fields: Any) -> str:
        return str(self.client.v2.evaluation.jobs.create(spec=spec, **fields).id)

    def wait(self, job_id: str) -> Any:
        """Wait until a job has ended, and return it."""
        return self.reaches(job_id, *ENDED)

    def reaches(self, job_id: str, *statuses: str) -> Any:
        """Wait until a job has one of the statuses, and return it; one that has ended otherwise will never have it."""
        jobs, wanted = self.client.v2.evaluation.jobs, "/".join(sorted(statuses))
        job = until(
            f"{job_id} to be {wanted}",
            lambda: job if (job := jobs.retrieve(job_id)).status in ENDED.union(statuses) else None,
        )
        assert job.status in statuses, f"{job_id} is {job.status}, not {wanted}"
        return job

    def results(self, job_id: str) -> Any:
        return self.client.v2.evaluation.jobs.results.evaluation_results.retrieve(job_id)


def assay(*arguments: str) -> list[str]:
    """Return a command of the `assay` that is installed, as users start it."""
    return [str(Path(sys.executable).with_name("assay")), *arguments]


PACKAGES = ("core", "store", "tasks", "flows", "api", "web", "cli")
"""What of ours can be imported."""


def namesakes(folder: Path) -> Path:
    """Return a folder with packages that are called as ours, as users of Prefect have them, and cannot be imported."""
    for name in PACKAGES:
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "__init__.py").write_text(
            "open(__file__ + '.taken', 'w').close()\nraise ImportError(__file__)\n"
        )
    return folder


def deaf() -> None:
    """Begin a process as `nohup`, cron or a CI system might: with signals ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def serving(home: Path, **environment: str) -> Iterator[Served]:
    """Run `assay serve` on a home until the context ends, from a folder and with signals that are no help to it."""
    own = {"ASSAY_HOME": str(home), "ASSAY_PORT": "0", "ASSAY_DATASETS": str(home / "datasets")}
    settings, folder = os.environ | own | environment, namesakes(home / "namesakes")
    with subprocess.Popen(
        assay("serve"), cwd=folder, env=settings, stdout=subprocess.PIPE, text=True, preexec_fn=deaf
    ) as process:
        assert process.stdout is not None
        printed: list[str] = []
        reader = threading.Thread(target=printed.extend, args=(process.stdout,))
        reader.start()
        try:
            until(
                "the service to be ready", lambda: process.poll() is not None or is_ready(printed), timeout_s=4 * WAIT_S
            )
            assert is_ready(printed), printed
            url = noted_url(home)
            with NeMoMicroservices(base_url=url, max_retries=0, _strict_response_validation=True) as client:
                yield Served(url, home, process, client, printed)
        finally:
            process.terminate()
            reader.join()
        assert (process.wait(WAIT_S), printed[-1]) == (0, "Stopped\n")


def is_ready(printed: Sequence[str]) -> bool:
    """Tell whether a service has said that it is."""
    return any(line.startswith("Ready") for line in printed)


def noted_url(home: Path) -> str:
    """Return where the service of a home listens, once it does."""
    return (home / NOTE).read_text().strip()


@contextmanager
def read_only(*files: Path) -> Iterator[None]:
    """Have nobody write to some files, or skip the test where that is not permitted."""
    protected = subprocess.run(["chattr", "+i", *files], capture_output=True, text=True, check=False)
    try:
        if protected.returncode:
            pytest.skip(f"no file can be protected: {protected.stderr.strip()}")
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], check=not protected.returncode)


@pytest.fixture(scope="session")
def default_endpoint() -> Iterator[ScriptedEndpoint]:
    """What is behind the names of models that come without a URL; a test gives it its script."""
    with ScriptedEndpoint() as scripted:
        yield scripted


@pytest.fixture(scope="session")
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, default_endpoint: ScriptedEndpoint
) -> Iterator[Served]:
    models = {"ASSAY_DEFAULT_ENDPOINT": default_endpoint.url, "ASSAY_DEFAULT_JUDGE": "judge"}
    with ExitStack() as request.config.stash[SERVICE]:
        yield request.config.stash[SERVICE].enter_context(serving(tmp_path_factory.mktemp("home"), **models))


@pytest.hookimpl(trylast=True)  # after the fixtures that still speak to the service
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End the service after the last test that needs it: while it waits it takes time of those that do not."""
    if not needs_service(nextitem):
        item.config.stash.get(SERVICE, ExitStack()).close()


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint() as scripted:
        yield scripted


def until(what: str, check: Callable[[], T | None], *, timeout_s: float = WAIT_S) -> T:
    """Wait until `check` returns something true, which is `what` is waited for, and return it."""
    deadline, pause_s = time.monotonic() + timeout_s, 0.02
    while not (found := check()):
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s in vain for {what}; last seen: {found!r}"
        time.sleep(pause_s)
        pause_s = min(1.2 * pause_s, LONGEST_PAUSE_S)
    return found
