"""The shards of a job in the processes of a Dask or Ray cluster: the same results as in threads, within its bounds."""

from pathlib import Path

import httpx
import pytest

from store.results.folder import JobFolder
from tests.conftest import WAIT_S, Served, serving, until
from tests.scripted import ScriptedEndpoint
from tests.service.bodies import chat_task, job, model

pytestmark = pytest.mark.slow

N = 120
AT_A_TIME = 4


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
