import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.processes import is_alive
from cli.children import FIRST_BACKOFF_S, LONGEST_BACKOFF_S, Child, Command, KeepsEnding, backoff_s, stop_all
from tests.conftest import until
from tests.flows.model import Clock

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
PARENT = """
import sys, time
from pathlib import Path
from cli.children import Child, Command
child = Child(Command("child", [sys.executable, "-c", "import time; time.sleep(60)"], {}, Path(sys.argv[1])))
print(child.pid, flush=True)
time.sleep(60)
"""


def command(tmp_path: Path, code: str, **environment: str) -> Command:
    return Command("child", [sys.executable, "-c", code], environment, tmp_path / "logs" / "child.log")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Child]:
    child = Child(command(tmp_path, SLEEP))
    yield child
    stop_all([child])


def end(child: Child, log: Path) -> None:
    """Kill a child that is up, and wait until that shows."""
    until("the child to be up", lambda: "up" in log.read_text())
    log.write_text("")
    os.kill(child.pid, 9)
    until("the child to end", lambda: not is_alive(child.pid))


def is_up(child: Child) -> bool:
    return "up" in child.command.log.read_text()


def test_a_child_that_lives_needs_nothing(running: Child) -> None:
    assert running.tend() is None
    assert is_alive(running.pid)


def test_a_child_whose_log_cannot_be_written_is_started_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    child = Child(command(tmp_path, SLEEP))
    try:
        assert child.tend() is None
        assert is_alive(child.pid)
    finally:
        stop_all([child])


def test_a_child_gets_its_environment_alone_and_writes_to_its_log(tmp_path: Path) -> None:
    given_command = command(tmp_path, "import os; print(sorted(n for n in os.environ if n != 'LC_CTYPE'))", LAB="1")
    child = Child(given_command)
    until("the child to end", lambda: not is_alive(child.pid))
    assert given_command.log.read_text() == "['LAB']\n"
    stop_all([child])


def test_a_child_that_dies_is_started_again_at_once_and_then_with_a_wait(
    running: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("cli.children.time", clock)
    log = running.command.log
    first = running.pid
    end(running, log)
    assert running.tend() == f"child ended with code -9; see {log}"
    assert running.tend() == f"child was started again (pid {running.pid})"
    assert running.pid != first
    end(running, log)
    assert running.tend() == f"child ended with code -9; see {log}"
    assert running.tend() is None
    clock.passed_s += FIRST_BACKOFF_S
    assert running.tend() == f"child was started again (pid {running.pid})"
    assert is_alive(running.pid)


def test_a_child_that_fails_at_once_says_its_code(tmp_path: Path) -> None:
    child = Child(command(tmp_path, "raise SystemExit(3)"))
    until("the child to end", lambda: not is_alive(child.pid))
    assert child.tend() == f"child ended with code 3; see {child.command.log}"
    stop_all([child])
    assert not is_alive(child.pid)


def test_a_child_that_ends_whenever_it_is_started_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    child = Child(command(tmp_path, "import sys; print('early', flush=True); sys.exit('no such table: runs')"))
    with pytest.raises(KeepsEnding) as given_up:
        until("the third end", lambda: child.tend() == "never")
    assert str(given_up.value) == (
        f"child ended 3 times as soon as it was started, the last time with code 1; the end of {child.command.log}:\n"
        "  early\n  no such table: runs"
    )
    stop_all([child])


@pytest.mark.thorough
def test_a_child_that_is_killed_is_never_given_up(tmp_path: Path) -> None:
    child = Child(command(tmp_path, "import os; os.kill(os.getpid(), 9)"))
    for _ in range(4):
        until("an end and a new start", lambda: "started again" in (child.tend() or ""))
    stop_all([child])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long a process has run")
def test_a_child_that_works_shows_life_and_one_that_stands_still_none(tmp_path: Path, running: Child) -> None:
    until("the child to be up", partial(is_up, running))
    still = until("two equal looks", lambda: (life := running.life) and running.life == life and life)
    busy = Child(command(tmp_path / "busy", "while True: pass"))
    try:
        began = busy.life
        until("the other to use its processor", lambda: busy.life != began)
        assert running.life == still
    finally:
        stop_all([busy])


def test_children_are_ended_together_and_by_force_if_need_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.children.GRACE_S", 0.2)
    stubborn = Child(command(tmp_path, STUBBORN))
    tame = Child(command(tmp_path / "tame", SLEEP))
    for child in (stubborn, tame):
        until("the child to be up", partial(is_up, child))
    stop_all([stubborn, tame])
    assert not is_alive(stubborn.pid)
    assert not is_alive(tame.pid)
    assert (stubborn.tend(), tame.tend()) == (
        f"child ended with code -9; see {stubborn.command.log}",
        f"child ended with code -15; see {tame.command.log}",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills children with their parent")
def test_children_die_with_their_parent_however_it_ends(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
    until("the child to end with its parent", lambda: not is_alive(child))


@given(st.integers(0, 100_000))
def test_the_wait_grows_to_its_limit_and_no_further(failures: int) -> None:
    assert backoff_s(1) == 0.0
    assert backoff_s(2) == FIRST_BACKOFF_S
    assert backoff_s(failures) <= backoff_s(failures + 1) <= LONGEST_BACKOFF_S
    assert backoff_s(failures + 10) == LONGEST_BACKOFF_S
