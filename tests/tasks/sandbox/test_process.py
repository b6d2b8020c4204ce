import json
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from bench.processes import children, cpu_s
from tasks.sandbox.child import WORKER_LIMITS
from tasks.sandbox.pool import EVALUATORS
from tasks.sandbox.process import Lost, Process
from tests.conftest import until
from tests.tasks.sandbox.conftest import PATIENT, has_ended

ROOT = Path(__file__).parents[3]
ONE = "def run_evaluation(item):\n    return 1\n"
ENDLESS = "def run_evaluation(item):\n    while True: pass\n"


@pytest.fixture
def process() -> Iterator[Process]:
    process = Process(EVALUATORS)
    yield process
    process.kill()


def request(source: str, **limits: Any) -> bytes:
    return json.dumps({**asdict(PATIENT), **limits, "source": source, "item": None}).encode()


def test_a_process_answers_one_request_after_another(process: Process) -> None:
    assert json.loads(process.ask(request(ONE), 10)) == {"value": 1.0, "printed": ""}
    assert json.loads(process.ask(request(ENDLESS, seconds=0.2), 10))["cause"] == "time"
    assert json.loads(process.ask(request(ONE), 10)) == {"value": 1.0, "printed": ""}
    assert json.loads(process.ask(b"no request", 10))["cause"] == "request"
    assert process.alive


def test_a_process_has_no_environment_and_no_file_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASSAY_SECRET_KEY", "marker")
    with (tmp_path / "ours").open("w") as ours, socket.create_server(("127.0.0.1", 0)) as server:
        os.set_inheritable(ours.fileno(), True)
        os.set_inheritable(server.fileno(), True)
        process = Process(EVALUATORS)
        process.ask(request(ONE), 10)
        (worker,) = children(process.pid)
        for pid in (process.pid, worker):
            assert Path(f"/proc/{pid}/environ").read_bytes() == b""
            opened = {os.readlink(fd).split(":")[0] for fd in Path(f"/proc/{pid}/fd").iterdir()}
            assert opened <= {"socket", "pipe", "/dev/null", "anon_inode"}
            assert os.readlink(f"/proc/{pid}/cwd") == "/"
        inode = os.fstat(server.fileno()).st_ino
        assert f"socket:[{inode}]" not in [os.readlink(fd) for fd in Path(f"/proc/{process.pid}/fd").iterdir()]
        process.kill()


def test_a_worker_can_open_nothing_and_is_bounded_by_the_kernel(process: Process) -> None:
    process.ask(request(ONE), 10)
    (worker,) = children(process.pid)
    bounds = {limit: resource.prlimit(worker, limit) for limit in WORKER_LIMITS}
    assert bounds == {limit: (bound, bound) for limit, bound in WORKER_LIMITS.items()}
    assert bounds[resource.RLIMIT_NOFILE] == bounds[resource.RLIMIT_NPROC] == (0, 0)
    assert resource.prlimit(worker, resource.RLIMIT_FSIZE) == (0, 0)
    assert resource.prlimit(worker, resource.RLIMIT_CORE) == (0, 0)


def test_no_answer_in_time_is_an_error_and_so_is_the_end_of_the_process(process: Process) -> None:
    with pytest.raises(TimeoutError):
        process.ask(request(ENDLESS, seconds=30), 0.1)
    process.kill()
    other = Process(EVALUATORS)
    other.kill()
    with pytest.raises((Lost, OSError)):
        other.ask(request(ONE), 10)
    assert not other.alive


def test_a_request_larger_than_a_pipe_arrives_whole(process: Process) -> None:
    source = "def run_evaluation(item):\n    return len(item)\n"
    large = json.dumps({**asdict(PATIENT), "memory": 64_000_000, "source": source, "item": "x" * 1_500_000}).encode()
    assert json.loads(process.ask(large, 10))["value"] == 1_500_000.0
    assert json.loads(process.ask(request(ONE), 10))["value"] == 1.0


def test_all_ends_with_the_process_that_started_it_even_in_the_midst_of_an_evaluation() -> None:
    script = f"""
from tasks.sandbox.pool import EVALUATORS
from tasks.sandbox.process import Process

process = Process(EVALUATORS)
process.ask({request(ONE)!r}, 60)
print(process.pid, flush=True)
process.ask({request(ENDLESS, seconds=60)!r}, 60)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert parent.stdout is not None
    with parent, parent.stdout:
        pid = int(parent.stdout.readline())
        (worker,) = children(pid)  # until one has answered, there may be another in its place
        until("its evaluation runs", lambda: cpu_s([worker]) > 0.2)
        watched = [os.pidfd_open(pid), os.pidfd_open(worker)]
        parent.kill()
    assert [has_ended(each) for each in watched] == [True, True]


def test_a_process_outlives_the_thread_that_started_it() -> None:
    made: list[Process] = []
    thread = threading.Thread(target=lambda: made.append(Process(EVALUATORS)))
    thread.start()
    thread.join()
    (process,) = made
    assert json.loads(process.ask(request(ONE), 10))["value"] == 1.0
    assert process.alive
    process.kill()
