"""Evaluators that share processes: the order of turns, with no clock of the machine in it."""

import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tasks.sandbox.turns import Turns
from tests.conftest import until


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("tasks.sandbox.turns.time.monotonic", lambda: now[0])
    return now


class Asking:
    """Threads that wait for turns, and say when they have one."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.got: list[str] = []
        self.threads: list[threading.Thread] = []

    def ask(self, key: str, done: threading.Event) -> None:
        def wait() -> None:
            with self.turns.turn(key):
                self.got.append(key)
                done.wait()

        waiting = len(self.turns._queue)
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        self.threads.append(thread)
        until_asked: Callable[[], bool] = lambda: len(self.turns._queue) > waiting  # noqa: E731
        until("the turn to be asked for", until_asked)


def test_a_quick_evaluator_waits_for_one_evaluation_of_a_slow_one_and_not_for_all(clock: list[float]) -> None:
    turns = Turns(1)
    asking, done = Asking(turns), threading.Event()
    with ExitStack() as held:
        held.enter_context(turns.turn("slow"))
        for _ in range(10):
            asking.ask("slow", done)
        for _ in range(3):
            asking.ask("quick", done)
        clock[0] += 1.0
        done.set()
    for thread in asking.threads:
        thread.join(10)
    assert asking.got[:3] == ["quick"] * 3
    assert asking.got.count("slow") == 10


def test_an_evaluator_that_asked_for_nothing_has_saved_up_no_time(clock: list[float]) -> None:
    turns = Turns(1)
    with turns.turn("early"):
        clock[0] += 1.0
    asking, done = Asking(turns), threading.Event()
    with ExitStack() as held:
        held.enter_context(turns.turn("late"))
        clock[0] += 100.0
        asking.ask("late", done)
        asking.ask("early", done)
        assert turns._accounts["early"].used == 1.0
        assert turns._accounts["late"].used == 0.0
        done.set()
    for thread in asking.threads:
        thread.join(10)
    assert asking.got == ["early", "late"]


def test_as_many_have_a_turn_as_there_are_places_and_errors_give_it_back() -> None:
    turns = Turns(2)
    with turns.turn("a"), turns.turn("a"):
        asking, done = Asking(turns), threading.Event()
        asking.ask("a", done)
        assert asking.got == []
        done.set()
    asking.threads[0].join(10)
    with pytest.raises(ZeroDivisionError), turns.turn("a"):
        raise ZeroDivisionError
    with turns.turn("a"), turns.turn("b"):
        pass


def test_a_slow_evaluator_leaves_a_place_to_one_that_has_just_asked(clock: list[float]) -> None:
    turns = Turns(2)
    asking, done = Asking(turns), threading.Event()
    with turns.turn("slow"):
        with turns.turn("quick"):
            asking.ask("slow", done)
        with turns.turn("quick"):  # at once, though the slow one waited
            assert asking.got == []
        clock[0] += 2.0
    done.set()
    asking.threads[0].join(10)
    assert asking.got == ["slow"]
