import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.errors import NotFound
from store.results.folder import JobFolder
from tests.conftest import WAIT_S, until


def engine_of(folder: JobFolder) -> tuple[threading.Thread, threading.Event]:
    """Return a thread that holds the folder for a moment once it is started, and what tells that it has."""
    entered = threading.Event()

    def work() -> None:
        with JobFolder(folder.path.parent, folder.job_id).lock.held():
            entered.set()

    return threading.Thread(target=work), entered


def test_a_folder_is_held_by_one_engine_at_a_time(folder: JobFolder) -> None:
    second, entered = engine_of(folder)
    with folder.lock.held():
        assert folder.lock.is_held()
        second.start()
        assert not entered.wait(0.05)
        assert folder.lock.is_held()
    assert entered.wait(WAIT_S)
    second.join()
    assert not folder.lock.is_held()


def test_no_engine_begins_while_a_folder_is_kept_vacant(folder: JobFolder) -> None:
    engine, entered = engine_of(folder)
    with folder.lock.held(), folder.lock.vacant() as is_vacant:
        assert not is_vacant
    with folder.lock.vacant() as is_vacant:
        assert is_vacant
        engine.start()
        assert not entered.wait(0.05)
    assert entered.wait(WAIT_S)
    engine.join()


HOLDER = """
import sys, time
from pathlib import Path
from store.results.folder import JobFolder
with JobFolder(Path(sys.argv[1]), "job-1").lock.held():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_engine_lets_go(folder: JobFolder) -> None:
    command = [sys.executable, "-c", HOLDER, str(folder.path.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert folder.lock.is_held()
        process.send_signal(signal.SIGKILL)
    assert not folder.lock.is_held()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="tells by /proc that the second engine waits")
def test_an_engine_that_waited_for_a_folder_now_deleted_does_not_bring_it_back(folder: JobFolder) -> None:
    errors: list[NotFound] = []

    def work() -> None:
        try:
            with folder.lock.held():
                folder.write_summaries([])
        except NotFound as error:
            errors.append(error)

    second = threading.Thread(target=work)
    with folder.lock.held():
        second.start()
        until("the second engine to wait", lambda: opened(folder.path / ".lock") == 2)
        folder.remove()
    second.join()
    assert [error.message for error in errors] == ["job job-1 was deleted while another engine worked on it"]
    assert not folder.path.exists()


def opened(path: Path) -> int:
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            count += link.readlink() == path
        except FileNotFoundError:
            continue
    return count


def test_a_block_is_one_engine_s_whether_the_folder_is_held_or_not(folder: JobFolder) -> None:
    other = JobFolder(folder.path.parent, folder.job_id)
    with folder.lock.held():
        pass  # it is made by the engine that resolves the job
    with folder.lock.joined(1) as first, other.lock.joined(1) as second, other.lock.joined(2) as third:
        assert (first, second, third) == (True, False, True)
        assert [folder.lock.is_joined(block) for block in (None, 0, 1, 2)] == [True, False, True, True]
        assert folder.lock.blocks() == {1, 2}
        assert (folder.lock.is_held(), folder.lock.is_occupied()) == (False, True)
    assert not folder.lock.is_occupied()
    folder.remove()
    with pytest.raises(NotFound, match=r"^results/job_id=job-1 is gone, or another process has it elsewhere$"):
        folder.lock.wait_until_left()
