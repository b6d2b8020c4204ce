"""The shards of a job in the processes of a Dask or Ray cluster: the same results as in threads, within its bounds."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import NamedTuple

import httpx
import pytest

from bench.victims import free_port
from core.settings import Settings
from store.results.folder import JobFolder
from store.workspace import Workspace
from tasks.fsck.results import fsck
from tests.conftest import ENDED, WAIT_S, Served, namesakes, serving, until
from tests.scripted import ScriptedEndpoint, last_content
from tests.service.bodies import chat_task, job, model
from tests.service.test_blocks import worker_environment, written_down

pytestmark = pytest.mark.slow

N = 120
AT_A_TIME = 4
HERE = "127.0.0.1"


def start(service: Served, endpoint: ScriptedEndpoint) -> str:
    rows = "".join(f'{{"question": "{n} ANSWER: {n % 7}", "answer": "{n % 5}"}}\n' for n in range(N))
    task = chat_task(service.dataset("qa.jsonl", rows))
    return service.create(job(model(endpoint.url), params={"parallelism": AT_A_TIME}, qa=task))


def scores(service: Served, job_id: str) -> list[object]:
    folder = JobFolder(service.home / "results", job_id)
    return [score for shard in folder.need_manifest().shards for score in folder.read_scores(shard) or []]


@pytest.mark.parametrize("runner", ["dask", "ray"])
def test_processes_give_the_results_of_threads_within_the_bound_of_the_job_also_over_a_pause(
    served: Served, tmp_path: Path, runner: str
) -> None:
    pytest.importorskip(f"prefect_{runner}")
    with ScriptedEndpoint() as endpoint:
        by_threads = start(served, endpoint)
        assert served.wait(by_threads).status == "completed"
    with ScriptedEndpoint(latency_s=0.2) as endpoint, serving(tmp_path, ASSAY_TASK_RUNNER=runner) as clustered:
        by_processes = start(clustered, endpoint)
        url = f"{clustered.url}/api/assay/v1/jobs/{by_processes}"
        until("a few calls", lambda: len(endpoint.calls) >= 2 * AT_A_TIME, timeout_s=3 * WAIT_S)
        httpx.post(f"{url}/pause", trust_env=False, timeout=WAIT_S).raise_for_status()
        clustered.reaches(by_processes, "paused")
        assert len(endpoint.calls) < N
        httpx.post(f"{url}/resume", trust_env=False, timeout=WAIT_S).raise_for_status()
        assert clustered.wait(by_processes).status == "completed"
        progress = httpx.get(url, trust_env=False, timeout=WAIT_S).json()["progress"]
        assert progress == {"qa": {stage: {"done": N, "total": N} for stage in ("generate", "judge")}}
        assert scores(clustered, by_processes) == scores(served, by_threads)
        assert len(endpoint.calls) == N
        assert endpoint.peak <= AT_A_TIME


class Cluster(NamedTuple):
    """Where a cluster is, the command by which a machine joins it, and the variables that all need who know it.

    `joined` is what that command prints once the machine is part of it.
    """

    address: str
    join: Sequence[str]
    joined: str
    variables: Mapping[str, str] = {}

    @contextmanager
    def machine(self, environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
        """Have a machine join, and wait until it has: two nodes of Ray's that begin together take the same ports."""
        with (
            NamedTemporaryFile("r") as printed,
            started(self.join, environment, Path(printed.name)) as process,
        ):
            until("the machine to have joined", lambda: self.joined in Path(printed.name).read_text())
            yield process


@contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str] = {}, printed: Path = Path(os.devnull)
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command, and kill it in the end with all that it has started."""
    with (
        printed.open("wb") as output,
        subprocess.Popen(
            command, env=os.environ | environment, stdout=output, stderr=subprocess.STDOUT, process_group=0
        ) as process,
    ):
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def dask(**environment: str) -> Iterator[Cluster]:
    dask = [sys.executable, "-m", "dask"]
    with TemporaryDirectory() as folder:
        file = Path(folder, "scheduler.json")
        listen = ["--host", HERE, "--port", "0", "--scheduler-file", str(file)]
        with started([*dask, "scheduler", "--no-dashboard", *listen], environment):
            until("the scheduler", file.exists)
            address = json.loads(file.read_text())["address"]
            one = ["--no-nanny", "--no-dashboard", "--nthreads", "4", "--local-directory", folder]
            yield Cluster(address, [*dask, "worker", address, *one], "Registered to:")


@contextmanager
def ray() -> Iterator[Cluster]:
    start = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats"]
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    port = free_port()
    with TemporaryDirectory(prefix="ray") as folder:
        head = ["--head", f"--port={port}", f"--ray-client-server-port={free_port()}", f"--temp-dir={folder}"]
        with started([*start, *head, "--num-cpus=0", "--include-dashboard=false"], token):
            address = f"{HERE}:{port}"
            ports = ["--min-worker-port=0", "--max-worker-port=0"]
            yield Cluster(address, [*start, f"--address={address}", "--num-cpus=1", *ports], "--block", token)


CLUSTERS: Mapping[str, Callable[[], AbstractContextManager[Cluster]]] = {"dask": dask, "ray": ray}


@pytest.mark.parametrize("runner", CLUSTERS)
def test_machines_of_a_cluster_have_nothing_in_common_but_the_store_and_one_of_them_may_die(
    store: dict[str, str], tmp_path: Path, runner: str
) -> None:
    pytest.importorskip(f"prefect_{runner}")
    names = {name.removeprefix("ASSAY_").lower(): value for name, value in store.items()}
    homes = [tmp_path / "first", tmp_path / "second"]
    with (
        ScriptedEndpoint(latency_s=5.0) as endpoint,  # until both are there: one alone would take minutes
        CLUSTERS[runner]() as cluster,
        serving(
            tmp_path / "home",
            **store,
            **cluster.variables,
            ASSAY_TASK_RUNNER=runner,
            **{f"ASSAY_{runner.upper()}_ADDRESS": cluster.address},
        ) as service,
        closing(Workspace.open(Settings.model_validate({"home": tmp_path / "reader", **names}))) as reader,
        cluster.machine(worker_environment(service) | {"ASSAY_HOME": str(homes[0])}) as first,
        cluster.machine(worker_environment(service) | {"ASSAY_HOME": str(homes[1])}),
    ):
        calls = endpoint.calls
        job_id = start(service, endpoint)
        url, folder = f"{service.url}/api/assay/v1/jobs/{job_id}", reader.folder(job_id)
        until(
            "both to work on it",
            lambda: all((home / "results" / folder.path.name).exists() for home in homes),
            timeout_s=4 * WAIT_S,
        )
        endpoint.latency_s = 0.2
        until("a few calls", lambda: len(calls) >= 2 * AT_A_TIME)
        httpx.post(f"{url}/pause", trust_env=False, timeout=WAIT_S).raise_for_status()
        service.reaches(job_id, "paused")
        assert len(calls) < N
        httpx.post(f"{url}/resume", trust_env=False, timeout=WAIT_S).raise_for_status()
        seen = len(calls)
        until("more calls", lambda: len(calls) >= seen + 2 * AT_A_TIME)
        recorded = written_down(folder)
        os.killpg(first.pid, signal.SIGKILL)
        assert service.wait(job_id).status == "completed"
        report = fsck(folder)
    asked = Counter(last_content(call["body"]) for call in calls)
    assert (report.difference, report.samples, report.calls, len(asked)) == (None, N, N, N)
    assert recorded
    assert {asked[f"{sample} ANSWER: {sample % 7}"] for sample in recorded} == {1}
    assert endpoint.peak <= AT_A_TIME


@pytest.mark.parametrize("runner", CLUSTERS)
def test_a_cluster_that_is_not_there_fails_a_job_by_its_address(tmp_path: Path, runner: str) -> None:
    pytest.importorskip(f"prefect_{runner}")
    address = f"{HERE}:{free_port()}"
    settings = {"ASSAY_TASK_RUNNER": runner, f"ASSAY_{runner.upper()}_ADDRESS": address}
    with ScriptedEndpoint() as endpoint, serving(tmp_path / "home", **settings) as service:
        job_id, jobs = start(service, endpoint), service.client.v2.evaluation.jobs
        failed = until("its end", lambda: seen if (seen := jobs.retrieve(job_id)).status in ENDED else None)
    assert failed.status == "error"
    assert address.partition(":")[2] in str(failed.status_details)
    assert endpoint.calls == []


def test_a_process_with_other_settings_fails_a_job_that_is_sent_to_it(tmp_path: Path) -> None:
    pytest.importorskip("prefect_dask")
    with (
        ScriptedEndpoint() as endpoint,
        dask() as cluster,
        serving(tmp_path / "home", ASSAY_TASK_RUNNER="dask", ASSAY_DASK_ADDRESS=cluster.address) as service,
        cluster.machine(worker_environment(service) | {"ASSAY_HOME": str(tmp_path / "other")}),
    ):
        job_id = start(service, endpoint)
        failed = service.reaches(job_id, "error")
    assert f"to which shards of job {job_id} were sent, cannot work on it, as if it had other settings" in str(failed)
    assert endpoint.calls == []


def test_a_job_that_its_cluster_does_not_understand_fails_with_what_the_cluster_says(tmp_path: Path) -> None:
    pytest.importorskip("prefect_dask")
    with (
        ScriptedEndpoint() as endpoint,
        dask(PYTHONPATH=str(namesakes(tmp_path / "namesakes")), PYTHONSAFEPATH="1") as cluster,
        serving(tmp_path / "home", ASSAY_TASK_RUNNER="dask", ASSAY_DASK_ADDRESS=cluster.address) as service,
        cluster.machine(worker_environment(service)),
    ):
        failed = service.reaches(start(service, endpoint), "error")
    assert "Error during deserialization of the task graph" in str(failed)
    assert endpoint.calls == []
