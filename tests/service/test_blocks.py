"""A big job in blocks, each with a flow run of its own, over two workers that share a folder, and two that do not."""

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from bench.victims import child
from core.settings import Settings
from store.results.folder import JobFolder
from store.workspace import Workspace
from tasks.fsck.results import fsck
from tests.conftest import WAIT_S, Served, serving, until
from tests.scripted import ScriptedEndpoint, last_content
from tests.service.bodies import chat_task, job, model

pytestmark = pytest.mark.slow

N = 400
AT_A_TIME = 8


@pytest.fixture(scope="module")
def divided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("divided"), ASSAY_BLOCKS="2", ASSAY_BLOCK_SAMPLES="100") as service:
        yield service


@pytest.fixture
def slow_endpoint() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint(latency_s=0.2) as scripted:
        yield scripted


def worker_environment(service: Served) -> dict[str, str]:
    """Return the variables that the worker of a service has."""
    worker = until("the worker", lambda: child(service.process.pid, "worker"))
    variables = Path(f"/proc/{worker}/environ").read_text().split("\0")
    return dict(variable.split("=", 1) for variable in variables if variable)


@contextmanager
def second_worker(service: Served, **changes: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Start another worker as the service starts its own; it is ended at the end, if it has not been before."""
    environment = worker_environment(service) | changes
    with subprocess.Popen([sys.executable, "-m", "flows"], env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def start(service: Served, endpoint: ScriptedEndpoint) -> tuple[str, JobFolder]:
    rows = "".join(f'{{"question": "{n} ANSWER: {n}", "answer": "{n}"}}\n' for n in range(N))
    task = chat_task(service.dataset("qa.jsonl", rows))
    job_id = service.create(job(model(endpoint.url), params={"parallelism": AT_A_TIME}, qa=task))
    return job_id, JobFolder(service.home / "results", job_id)


def runs(service: Served, job_id: str) -> dict[str, str]:
    """Return the states of a job's flow runs by their names."""
    tagged = {"flow_runs": {"tags": {"all_": [f"job:{job_id}"]}}}
    found = service.ask_prefect("POST", "/flow_runs/filter", tagged).json()
    return {run["name"]: run["state_type"] for run in found}


def test_a_job_in_two_blocks_loses_nothing_when_both_workers_are_killed(
    divided: Served, slow_endpoint: ScriptedEndpoint
) -> None:
    calls = slow_endpoint.calls
    with second_worker(divided) as second:
        job_id, folder = start(divided, slow_endpoint)
        until("an engine at each block", lambda: folder.lock.is_joined(0) and folder.lock.is_joined(1))
        until("forty calls", lambda: len(calls) > 40)
        second.kill()
        second.wait(WAIT_S)
        seen = len(calls)
        until("forty more", lambda: len(calls) > seen + 40)
        os.kill(until("the worker", lambda: child(divided.process.pid, "worker")), signal.SIGKILL)
        assert divided.wait(job_id).status == "completed"
    report = fsck(folder)
    assert (report.difference, report.samples, report.calls) == (None, N, N)
    assert len(Counter(last_content(call["body"]) for call in calls)) == N
    assert len(calls) <= N + 2 * AT_A_TIME
    assert max(call["in_flight"] for call in calls) <= AT_A_TIME
    progress = httpx.get(f"{divided.url}/api/assay/v1/jobs/{job_id}", trust_env=False, timeout=WAIT_S).json()[
        "progress"
    ]
    assert progress == {"qa": {stage: {"done": N, "total": N} for stage in ("generate", "judge")}}
    assert [score.value for shard in folder.read_manifest().shards for score in folder.read_scores(shard)] == [1.0] * N  # type: ignore[union-attr]  # they are there


def test_a_job_in_blocks_is_paused_and_goes_on_and_is_deleted_with_all_its_runs(
    divided: Served, slow_endpoint: ScriptedEndpoint
) -> None:
    job_id, folder = start(divided, slow_endpoint)
    url = f"{divided.url}/api/assay/v1/jobs/{job_id}"
    until("forty calls", lambda: len(slow_endpoint.calls) > 40)
    httpx.post(f"{url}/pause", trust_env=False, timeout=WAIT_S).raise_for_status()
    divided.reaches(job_id, "paused")
    assert not folder.lock.is_occupied()
    paused_at = len(slow_endpoint.calls)
    assert paused_at < N
    httpx.post(f"{url}/resume", trust_env=False, timeout=WAIT_S).raise_for_status()
    assert divided.wait(job_id).status == "completed"
    assert len(slow_endpoint.calls) == N
    assert len(runs(divided, job_id)) == 3
    httpx.delete(url, trust_env=False, timeout=WAIT_S).raise_for_status()
    until("the job to be gone", lambda: not folder.path.exists())
    until("its runs to be gone", lambda: not runs(divided, job_id))


def are_online(service: Served, workers: int) -> bool:
    found = service.ask_prefect("POST", "/work_pools/assay/workers/filter", {}).json()
    return sum(each["status"] == "ONLINE" for each in found) == workers


def written_down(folder: JobFolder) -> set[int]:
    """Return the samples whose calls are in a journal, or in a finished shard."""
    journals = {
        call.key.sample for path in folder.journals.paths() for _, call in folder.journals.recorded(path) if call
    }
    manifest = folder.need_manifest()
    finished = {
        sample for shard in manifest.shards if folder.is_finished("generate", shard) for sample in shard.samples
    }
    return journals | finished


def test_a_job_in_two_blocks_over_workers_without_a_common_folder_outlives_one_of_them(
    store: dict[str, str], slow_endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    calls = slow_endpoint.calls
    one_each = {"ASSAY_MAX_JOBS": "1", "ASSAY_BLOCKS": "2", "ASSAY_BLOCK_SAMPLES": "100"}
    names = {name.removeprefix("ASSAY_").lower(): value for name, value in store.items()}
    with (
        serving(tmp_path / "home", **store, **one_each) as service,
        second_worker(service, ASSAY_HOME=str(tmp_path / "distant")) as distant,
        closing(Workspace.open(Settings.model_validate({"home": tmp_path / "reader", **names}))) as reader,
    ):
        until("both workers", lambda: are_online(service, 2))
        job_id, here = start(service, slow_endpoint)
        url, folder = f"{service.url}/api/assay/v1/jobs/{job_id}", reader.folder(job_id)
        until("an engine at each block", lambda: reader.blocks(job_id) == {0, 1})
        until("forty calls", lambda: len(calls) > 40)
        httpx.post(f"{url}/pause", trust_env=False, timeout=WAIT_S).raise_for_status()
        service.reaches(job_id, "paused")
        assert not reader.is_occupied(job_id)
        httpx.post(f"{url}/resume", trust_env=False, timeout=WAIT_S).raise_for_status()
        until("an engine at each block again", lambda: reader.blocks(job_id) == {0, 1})
        until("eighty calls", lambda: len(calls) > 80)
        recorded = written_down(folder)
        if here.lock.is_held():
            distant.kill()
            distant.wait(WAIT_S)
            shutil.rmtree(tmp_path / "distant")
        else:
            os.kill(until("the worker", lambda: child(service.process.pid, "worker")), signal.SIGKILL)
        assert service.wait(job_id).status == "completed"
        report = fsck(folder)
    asked = Counter(last_content(call["body"]) for call in calls)
    assert (report.difference, report.samples, report.calls, len(asked)) == (None, N, N, N)
    assert len(recorded) >= 40  # those of before the pause, at least
    assert {asked[f"{sample} ANSWER: {sample}"] for sample in recorded} == {1}
    assert max(call["in_flight"] for call in calls) <= AT_A_TIME
