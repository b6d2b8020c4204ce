"""`assay serve` itself: one to a home, its processes go with it, and a full disk ends a job and nothing else."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from nemo_microservices import NeMoMicroservices

from bench.processes import children, is_alive
from bench.victims import kill_child
from tests.conftest import PACKAGES, WAIT_S, Served, assay, noted_url, read_only, until
from tests.scripted import ScriptedEndpoint, text
from tests.service.bodies import chat_task, job, model

FULL = Path("/dev/full")


def answers(home: Path) -> bool:
    try:
        return httpx.get(f"{noted_url(home)}/health", timeout=WAIT_S).is_success
    except (FileNotFoundError, httpx.TransportError):
        return False


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Lay a small file system over a folder, or skip the test where that is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = subprocess.run(mounting, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be had: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_second_service_on_the_same_home_is_refused_naming_the_first(served):
    environment = os.environ | {"ASSAY_HOME": str(served.home), "ASSAY_PORT": "0"}
    second = subprocess.run(
        [sys.executable, "-m", "cli", "serve"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )
    assert second.returncode == 2
    assert str(served.process.pid) in second.stderr
    assert str(served.home) in second.stderr
    assert httpx.get(f"{served.url}/health", timeout=WAIT_S).is_success


def test_no_process_has_taken_a_module_from_the_folder_that_it_was_started_in(served):
    assert len(list((served.home / "namesakes").glob("*/__init__.py"))) == len(PACKAGES)
    assert list((served.home / "namesakes").rglob("*.taken")) == []


@pytest.mark.thorough
def test_a_full_disk_ends_a_job_naming_the_file_and_nothing_else(served):
    rows = "".join(f'{{"question": "{n}", "answer": "a"}}\n' for n in range(40))
    questions = served.dataset("full.jsonl", rows)
    with ScriptedEndpoint(lambda _: text(os.urandom(50_000).hex())) as verbose, ScriptedEndpoint() as brief:
        with small_disk(served.home / "results", "1m"):
            ended = served.wait(served.create(job(model(verbose.url), qa=chat_task(questions))))
            assert ended.status == "error"
            assert (ended.error_details["blame"], ended.error_details["code"]) == ("service", "storage_full")
            assert f"results/job_id={ended.id}/" in ended.error_details["message"]
            assert not list((served.home / "results").rglob("*.tmp"))
        after = served.wait(served.create(job(model(brief.url), qa=chat_task(questions))))
    assert after.status == "completed"
    assert len(brief.calls) == 40


def cannot_write(served: Served) -> bool:
    try:
        return served.ask_prefect("POST", "/variables/", {"name": "v", "value": 1}).is_server_error
    except httpx.TransportError:
        return False


@pytest.mark.slow
def test_jobs_go_on_after_prefects_home_was_read_only_for_a_while_in_which_its_server_died(served, endpoint):
    rows = "".join(f'{{"question": "ANSWER: {n}", "answer": "{n}"}}\n' for n in range(20))
    body = job(model(endpoint.url), qa=chat_task(served.dataset("protected.jsonl", rows)))
    ids = [served.create(body) for _ in range(5)]
    database = served.home / "prefect" / "prefect.db"
    with read_only(database, database.with_name("prefect.db-wal")):
        ids += [served.create(body) for _ in range(5)]
        kill_child(served.process.pid, "prefect")
        until("a server that cannot write", lambda: cannot_write(served))
    assert [served.wait(job_id).status for job_id in ids] == ["completed"] * 10
    assert len(endpoint.calls) == 10 * 20


@pytest.mark.thorough
def test_a_second_service_whose_output_takes_nothing_keeps_its_jobs_apart_and_takes_its_processes_with_it(
    served, tmp_path
):
    own = {"ASSAY_HOME": str(tmp_path), "ASSAY_PORT": "0", "ASSAY_WORK_POOL": "second"}
    own |= {**served.prefect_client, "ASSAY_DATASETS": str(tmp_path / "datasets")}
    output = FULL if FULL.is_char_device() else Path(os.devnull)
    with output.open("w") as full, ScriptedEndpoint() as endpoint:
        process = subprocess.Popen(assay("serve"), env=os.environ | own, stdout=full, text=True)
        try:
            until("the service to be ready", lambda: process.poll() is not None or answers(tmp_path))
            url = noted_url(tmp_path)
            with NeMoMicroservices(base_url=url) as client:
                second = Served(url, tmp_path, process, client, [])
                questions = second.dataset("q.jsonl", '{"question": "q", "answer": "ok"}\n')
                job_id = second.create(job(model(endpoint.url), qa=chat_task(questions)))
                assert second.wait(job_id).status == "completed"
                mine = served.dataset("mine.jsonl", '{"question": "q", "answer": "ok"}\n')
                assert served.wait(served.create(job(model(endpoint.url), qa=chat_task(mine)))).status == "completed"
            deployments = served.ask_prefect("POST", "/deployments/filter", {}).json()
            pools = {deployment["name"]: deployment["work_pool_name"] for deployment in deployments}
            assert {pools["job-assay"], pools["job-second"]} == {"assay", "second"}
            pids = children(process.pid)
            assert len(pids) == 2  # a worker and an API: Prefect is the first service's
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=WAIT_S) == 0
            until("its processes to end", lambda: not any(map(is_alive, pids)))
        finally:
            process.kill()
            process.wait()
