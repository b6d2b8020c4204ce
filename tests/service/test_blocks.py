"""A big job in blocks, each with a flow run of its own, over two workers."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from bench.victims import child
from store.results.folder import JobFolder
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


@contextmanager
def second_worker(service: Served) -> Iterator["subprocess.Popen[bytes]"]:
    """Start another worker as the service starts its own; it is ended at the end, if it has not been before."""
    first = until("the worker", lambda: child(service.process.pid, "worker"))
    variables = Path(f"/proc/{first}/environ").read_text().split("\0")
    environment = dict(variable.split("=", 1) for variable in variables if variable)
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
    progress = httpx.get(f"{divided.url}/api/assay/v1/jobs/{job_id}", trust_env=False).json()["progress"]
    assert progress == {"qa": {stage: {"done": N, "total": N} for stage in ("generate", "judge")}}
    assert [score.value for shard in folder.read_manifest().shards for score in folder.read_scores(shard)] == [1.0] * N  # type: ignore[union-attr]  # they are there


def test_a_job_in_blocks_is_paused_and_goes_on_and_is_deleted_with_all_its_runs(
    divided: Served, slow_endpoint: ScriptedEndpoint
) -> None:
    job_id, folder = start(divided, slow_endpoint)
    url = f"{divided.url}/api/assay/v1/jobs/{job_id}"
    until("forty calls", lambda: len(slow_endpoint.calls) > 40)
    httpx.post(f"{url}/pause", trust_env=False).raise_for_status()
    divided.reaches(job_id, "paused")
    assert not folder.lock.is_occupied()
    paused_at = len(slow_endpoint.calls)
    assert paused_at < N
    httpx.post(f"{url}/resume", trust_env=False).raise_for_status()
    assert divided.wait(job_id).status == "completed"
    assert len(slow_endpoint.calls) == N
    assert len(runs(divided, job_id)) == 3
    httpx.delete(url, trust_env=False).raise_for_status()
    until("the job to be gone", lambda: not folder.path.exists())
    until("its runs to be gone", lambda: not runs(divided, job_id))
