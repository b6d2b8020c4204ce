"""The shards of a job in the processes of a Dask cluster: the same results as in threads."""

from pathlib import Path

import httpx
import pytest

from store.results.folder import JobFolder
from tests.conftest import Served, serving
from tests.scripted import ScriptedEndpoint
from tests.service.bodies import chat_task, job, model

pytestmark = pytest.mark.slow
pytest.importorskip("prefect_dask")

N = 120


def evaluated(service: Served, endpoint: ScriptedEndpoint) -> tuple[str, list[object]]:
    """Return a job's id and all its scores."""
    rows = "".join(f'{{"question": "{n} ANSWER: {n % 7}", "answer": "{n % 5}"}}\n' for n in range(N))
    task = chat_task(service.dataset("qa.jsonl", rows))
    job_id = service.create(job(model(endpoint.url), params={"parallelism": 4}, qa=task))
    assert service.wait(job_id).status == "completed"
    folder = JobFolder(service.home / "results", job_id)
    manifest = folder.read_manifest()
    assert manifest is not None
    return job_id, [score for shard in manifest.shards for score in folder.read_scores(shard) or []]


def test_two_processes_give_the_results_of_threads(served: Served, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    _, by_threads = evaluated(served, endpoint)
    assert len(by_threads) == len(endpoint.calls) == N
    with serving(tmp_path, ASSAY_TASK_RUNNER="dask") as clustered:
        job_id, by_processes = evaluated(clustered, endpoint)
        progress = httpx.get(f"{clustered.url}/api/assay/v1/jobs/{job_id}").json()["progress"]
    assert progress == {"qa": {stage: {"done": N, "total": N} for stage in ("generate", "judge")}}
    assert by_processes == by_threads
    assert len(endpoint.calls) == 2 * N
