"""A stock work pool, where each flow run has a process of its own: all that our worker can, only later."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import WAIT_S, Served, namesakes, serving, until
from tests.scripted import ScriptedEndpoint
from tests.service.bodies import chat_task, job, model

pytestmark = pytest.mark.slow

POOL = "stock"
N = 200


@pytest.fixture(scope="module")
def stock(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service on a pool of Prefect's type `process`, and a worker of Prefect's for it."""
    home = tmp_path_factory.mktemp("stock")
    own = {**served.prefect_client, "PREFECT_HOME": str(home / "prefect"), "ASSAY_WORK_POOL": POOL}
    prefect = [str(Path(sys.executable).with_name("prefect")), "--no-prompt"]
    subprocess.run([*prefect, "work-pool", "create", POOL, "--type", "process"], env=os.environ | own, check=True)
    with serving(home, **own) as service:
        paths = {"ASSAY_HOME": str(home), "ASSAY_DATASETS": str(home / "datasets")}
        worker = [*prefect, "worker", "start", "--pool", POOL]
        settings = os.environ | own | paths | {"PREFECT_WORKER_QUERY_SECONDS": "1"}
        folder = namesakes(home / "namesakes")
        with subprocess.Popen(
            worker, cwd=folder, env=settings, stdout=subprocess.DEVNULL, start_new_session=True
        ) as process:
            try:
                yield service
            finally:
                os.killpg(process.pid, signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(WAIT_S)
                with suppress(ProcessLookupError):  # how it ends is Prefect's
                    os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def slow_endpoint() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint(latency_s=0.05) as scripted:
        yield scripted


def start(stock: Served, endpoint: ScriptedEndpoint, name: str) -> str:
    rows = "".join(f'{{"question": "{name} {n} ANSWER: {n}", "answer": "{n}"}}\n' for n in range(N))
    task = chat_task(stock.dataset(f"{name}.jsonl", rows))
    return stock.create(job(model(endpoint.url), params={"parallelism": 4}, qa=task))


def engine_of(job_id: str, home: Path) -> int:
    """Return the process that works on a job: it has the job's log open."""
    log = home / "results" / f"job_id={job_id}" / "log.jsonl"
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if descriptor.resolve() == log.resolve():
                return int(descriptor.parts[2])
        except OSError:
            continue
    raise AssertionError(f"nobody works on {job_id}")


def test_a_job_completes(stock, slow_endpoint):
    ended = stock.wait(start(stock, slow_endpoint, "whole"))
    assert ended.status == "completed"
    assert stock.results(ended.id).tasks["qa"].metrics["correct"].scores["string-check"].stats.count == N
    assert len(slow_endpoint.calls) == N


def test_a_job_is_cancelled(stock, slow_endpoint):
    job_id = start(stock, slow_endpoint, "cancelled")
    until("twenty calls", lambda: len(slow_endpoint.calls) > 20)
    stock.client.v2.evaluation.jobs.cancel(job_id)
    assert stock.wait(job_id).status == "cancelled"
    assert len(slow_endpoint.calls) < N


def test_a_job_whose_process_is_killed_goes_on_and_pays_nothing_twice(stock, slow_endpoint):
    job_id = start(stock, slow_endpoint, "killed")
    until("fifty calls", lambda: len(slow_endpoint.calls) > 50)
    os.kill(engine_of(job_id, stock.home), signal.SIGKILL)
    ended = stock.wait(job_id)
    assert ended.status == "completed"
    asked = Counter(call["raw"] for call in slow_endpoint.calls)
    assert len(asked) == N
    assert asked.total() - N <= 4
