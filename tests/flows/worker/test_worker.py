import asyncio
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.responses import WorkerFlowRunResponse
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.worker.wake import forget_stop, has_listener, make_pipe, note_stop, wake, was_stopped, worker_name
from flows.worker.worker import AssayWorker


@contextmanager
def listening(home: Path) -> Iterator[int]:
    """Listen as a worker does."""
    pipe = os.open(make_pipe(home), os.O_RDWR | os.O_NONBLOCK)
    try:
        yield pipe
    finally:
        os.close(pipe)


def test_nobody_is_woken_where_no_worker_listens(tmp_path: Path) -> None:
    wake(tmp_path)
    assert not has_listener(tmp_path)
    with listening(tmp_path) as pipe:
        assert has_listener(tmp_path)
        with pytest.raises(BlockingIOError):
            os.read(pipe, 1)
    assert not has_listener(tmp_path)


def test_a_worker_that_listens_is_told_each_time(tmp_path: Path) -> None:
    with listening(tmp_path) as pipe:
        wake(tmp_path)
        assert os.read(pipe, 4096) == b"\n"
        wake(tmp_path)
        wake(tmp_path)
        assert os.read(pipe, 4096) == b"\n\n"


def test_a_worker_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    with listening(tmp_path) as pipe:
        while True:
            try:
                os.write(pipe, b"\n" * 4096)
            except BlockingIOError:
                break
        descriptors = len(os.listdir("/proc/self/fd"))
        wake(tmp_path)
        assert len(os.listdir("/proc/self/fd")) == descriptors


def test_the_pipe_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    first = make_pipe(tmp_path / "home").stat()
    assert stat.S_ISFIFO(first.st_mode)
    assert stat.S_IMODE(first.st_mode) == 0o600
    assert make_pipe(tmp_path / "home").stat().st_ino == first.st_ino


def test_a_worker_takes_as_many_runs_as_the_settings_allow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    monkeypatch.setenv("ASSAY_MAX_JOBS", "3")
    worker = AssayWorker(work_pool_name="assay")
    assert worker._limit == 3
    assert AssayWorker(work_pool_name="assay", limit=5)._limit == 5
    assert AssayWorker.get_worker_class_from_type("assay") is AssayWorker


def test_a_run_whose_former_thread_has_not_ended_is_left_for_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    worker = AssayWorker(work_pool_name="assay")
    run = FlowRun(flow_id=uuid4())
    worker._at_work.add(run.id)
    due = [WorkerFlowRunResponse(work_pool_id=uuid4(), work_queue_id=uuid4(), flow_run=run)]
    assert asyncio.run(worker._submit_scheduled_flow_runs(due)) == []
    assert not worker._submitting_flow_run_ids


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
