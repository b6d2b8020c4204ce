import asyncio
import os
import socket
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import anyio
import anyio.lowlevel
import pytest
from jsonschema import Draft202012Validator
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.responses import WorkerFlowRunResponse
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLIENT_CSRF_SUPPORT_ENABLED,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from flows.worker.wake import forget_stop, listeners, listening, note_stop, wake, was_stopped, worker_name
from flows.worker.worker import AssayWorker
from tests.conftest import WAIT_S

NOBODY = "http://127.0.0.1:1/api"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def seen(what: str, check: Callable[[], bool]) -> None:
    """Wait until `check` says that `what` is there, letting the loop work meanwhile."""
    deadline = time.monotonic() + WAIT_S
    while not check():
        assert time.monotonic() < deadline, f"waited {WAIT_S:.0f} s in vain for {what}"
        await asyncio.sleep(0.01)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    return tmp_path


def test_nobody_is_woken_where_no_worker_listens(tmp_path: Path) -> None:
    wake(tmp_path)
    assert listeners(tmp_path) == 0
    with listening(tmp_path) as pipe:
        assert listeners(tmp_path) == 1
        with pytest.raises(BlockingIOError):
            os.read(pipe, 1)
    assert listeners(tmp_path) == 0


def test_each_worker_that_listens_is_told_each_time(tmp_path: Path) -> None:
    with listening(tmp_path) as pipe, listening(tmp_path) as other:
        assert listeners(tmp_path) == 2
        wake(tmp_path)
        assert os.read(pipe, 4096) == os.read(other, 4096) == b"\n"
        wake(tmp_path)
        wake(tmp_path)
        assert os.read(pipe, 4096) == b"\n\n"


def test_a_worker_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    with listening(tmp_path), listening(tmp_path) as pipe:
        for path in tmp_path.glob("run/wakes/*"):
            full = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            with suppress(BlockingIOError):
                while True:
                    os.write(full, b"\n" * 4096)
            os.close(full)
        descriptors = len(os.listdir("/proc/self/fd"))
        wake(tmp_path)
        assert len(os.listdir("/proc/self/fd")) == descriptors
        with suppress(BlockingIOError):
            while True:
                os.read(pipe, 65536)
        wake(tmp_path)
        assert os.read(pipe, 4096) == b"\n"


def test_a_pipe_is_for_its_owner_alone(tmp_path: Path) -> None:
    with listening(tmp_path / "home"):
        [pipe] = (tmp_path / "home" / "run" / "wakes").iterdir()
        assert stat.S_ISFIFO(pipe.stat().st_mode)
        assert stat.S_IMODE(pipe.stat().st_mode) == 0o600


def test_the_pipe_of_a_worker_that_was_killed_is_cleared_away_and_not_that_of_another_machine(tmp_path: Path) -> None:
    pipes = tmp_path / "run" / "wakes"
    pipes.mkdir(parents=True)
    for name in (f"{worker_name()}:dead", "elsewhere:1:0"):
        os.mkfifo(pipes / name)
    wake(tmp_path)
    assert [pipe.name for pipe in pipes.iterdir()] == ["elsewhere:1:0"]


def test_a_worker_takes_as_many_runs_as_the_settings_allow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    monkeypatch.setenv("ASSAY_MAX_JOBS", "3")
    worker = AssayWorker(work_pool_name="assay")
    assert worker._limit == 3
    assert AssayWorker(work_pool_name="assay", limit=5)._limit == 5
    assert AssayWorker.get_worker_class_from_type("assay") is AssayWorker


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Answer each request alike, in the place of Prefect's server."""

    class Always(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Always) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api"
        finally:
            server.shutdown()
            thread.join()


@asynccontextmanager
async def at_work(url: str = NOBODY) -> AsyncIterator[AssayWorker]:
    """Give a worker with room for two runs, whose Prefect server is at a URL."""
    worker = AssayWorker(work_pool_name="assay", limit=2)
    quietly = {PREFECT_LOGGING_TO_API_ENABLED: False, PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: False}
    with temporary_settings({PREFECT_API_URL: url, **quietly}):
        async with get_client() as client, anyio.create_task_group() as group:
            worker._client, worker._runs_task_group = client, group
            worker._limiter = anyio.CapacityLimiter(2)
            worker._suspensions._client = client
            worker._has_successfully_synced = True
            yield worker


def due(*runs: FlowRun) -> list[WorkerFlowRunResponse]:
    return [WorkerFlowRunResponse(work_pool_id=uuid4(), work_queue_id=uuid4(), flow_run=run) for run in runs]


def some_run() -> FlowRun:
    return FlowRun(flow_id=uuid4(), deployment_id=uuid4())


ACCEPTED = b'{"status": "ACCEPT", "details": {"type": "accept_details"}, "state": {"type": "PENDING"}}'


def test_a_run_is_not_taken_up_again_before_its_thread_has_ended(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    former, other = some_run(), some_run()
    begun, may_end = [], threading.Event()

    def carry_out(flow_run: FlowRun) -> None:
        begun.append(flow_run.id)
        if flow_run is former:
            may_end.wait(WAIT_S)

    monkeypatch.setattr("flows.worker.worker._run_flow", carry_out)

    async def submit(url: str) -> tuple[object, ...]:
        async with at_work(url) as worker:
            await worker._submit_scheduled_flow_runs(due(former))
            await worker._submit_scheduled_flow_runs(due(former, other))
            await seen("the other run's end", lambda: worker._submitting_flow_run_ids == {former.id})
            may_end.set()
        return worker.limiter.statistics().borrowers, worker._submitting_flow_run_ids

    with answering(200, ACCEPTED) as url:
        assert asyncio.run(submit(url)) == ((), set())
    assert sorted(begun) == sorted((former.id, other.id))


def test_a_worker_goes_on_where_copies_of_jobs_that_are_gone_cannot_be_deleted(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ASSAY_STORE", "s3://nowhere")
    monkeypatch.setenv("ASSAY_SECRET_KEY", "a key")

    async def look() -> None:
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(AssayWorker(work_pool_name="assay")._drop_copies())
            await seen("a look at the copies", lambda: "The database has schema version 0" in caplog.text)
            looking.cancel()  # it waits for its next

    asyncio.run(look())


def test_workers_of_a_home_share_what_is_due_the_oldest_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [some_run() for _ in range(3)]
    monkeypatch.setattr("flows.worker.worker._run_flow", lambda _: None)

    async def submit(url: str) -> list[FlowRun]:
        async with at_work(url) as worker:
            return await worker._submit_scheduled_flow_runs(due(*runs))

    with answering(200, ACCEPTED) as url:
        with listening(home), listening(home) as other:
            assert asyncio.run(submit(url)) == runs[:2]
            assert b"\n" in os.read(other, 4096)  # and all look at the rest
        with listening(home):
            assert asyncio.run(submit(url)) == runs[:2]  # as many as there is room for


def test_a_run_that_is_gone_takes_no_room(home: Path) -> None:
    run = some_run()

    async def submit(url: str) -> tuple[object, ...]:
        async with at_work(url) as worker:
            assert await worker._submit_scheduled_flow_runs(due(run)) == [run]
        return worker.limiter.statistics().borrowers, worker._submitting_flow_run_ids

    with answering(404, b'{"detail": "Not found"}') as url:
        assert asyncio.run(submit(url)) == ((), set())


def test_a_worker_without_room_asks_for_no_runs(home: Path) -> None:
    async def ask() -> datetime:
        async with at_work() as worker:
            for run in (some_run(), some_run()):
                worker.limiter.acquire_on_behalf_of_nowait(run.id)
            worker._last_polled_time = LONG_AGO
            with temporary_settings({PREFECT_API_URL: NOBODY}):
                assert await worker.get_and_submit_flow_runs() == []
            return worker._last_polled_time

    assert asyncio.run(ask()) > LONG_AGO


def test_the_pool_offers_no_job_variables() -> None:
    variables = AssayWorker.get_default_base_job_template()["variables"]
    assert not list(Draft202012Validator(variables).iter_errors({}))
    [error] = Draft202012Validator(variables).iter_errors({"env": {"A": "b"}})
    assert "'env' was unexpected" in error.message


@pytest.mark.parametrize("answer", [b"no JSON", b'[{"flow_run": null}]'])
def test_a_worker_goes_on_where_prefect_answers_what_cannot_be_read(home: Path, answer: bytes) -> None:
    async def ask(url: str) -> list[FlowRun]:
        async with at_work(url) as worker:
            return await worker.get_and_submit_flow_runs()

    with answering(200, answer) as url:
        assert asyncio.run(ask(url)) == []


def test_two_workers_of_a_home_are_woken_at_once_and_both_go_on(home: Path) -> None:
    async def heed() -> None:
        workers = [AssayWorker(work_pool_name="assay") for _ in range(2)]
        for worker in workers:
            worker._last_polled_time = LONG_AGO
        async with anyio.create_task_group() as group:
            for worker in workers:
                group.start_soon(worker._heed_wakes)
            await seen("two that listen", lambda: listeners(home) == 2)
            wake(home)
            await seen("both asking for work", lambda: all(each._last_polled_time > LONG_AGO for each in workers))
            group.cancel_scope.cancel()

    asyncio.run(heed())


def test_a_worker_goes_on_where_prefect_cannot_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    worker = AssayWorker(work_pool_name="assay")
    worker._has_successfully_synced = True
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/api"  # closed again, so that nobody answers

    async def ask() -> list[FlowRun]:
        async with get_client(httpx_settings={"base_url": url}) as client:
            worker._client = client
            return await worker.get_and_submit_flow_runs()

    with temporary_settings({PREFECT_API_URL: url}):
        assert asyncio.run(ask()) == []


def test_a_worker_that_was_told_to_stop_leaves_word_until_its_number_is_taken_again(tmp_path: Path) -> None:
    forget_stop(tmp_path)
    assert not was_stopped(tmp_path, worker_name())
    note_stop(tmp_path)
    assert was_stopped(tmp_path, worker_name())
    assert not was_stopped(tmp_path, "elsewhere:1")
    forget_stop(tmp_path)
    assert not was_stopped(tmp_path, worker_name())
