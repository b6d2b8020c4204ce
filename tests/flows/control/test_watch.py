from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from core.job import Progress, utcnow
from flows.control import watch as module
from flows.control.status import RunState
from flows.control.watch import QUEUED_S, SET_ASIDE, SILENT_S, UNCONFIRMED_S, UNSTARTED_S, Watch
from tests.flows.model import Clock

BEAT = utcnow()
REPORT = Progress("job-1", 1, "worker", BEAT)
READY = Progress("job-1", 1, "worker", BEAT, results_ready_at=BEAT)
MARGIN_S = 0.5
CLOCK = Clock()


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no time pass: what is not over yet is not over a moment later either."""
    monkeypatch.setattr(module, "time", CLOCK)


def watching(run: RunState, *, in_state_s: float = 0.0, silent_s: float = 0.0) -> Watch:
    now = CLOCK.monotonic()
    return Watch(run, now - in_state_s, attempt=1, heartbeat=BEAT, heartbeat_since=now - silent_s)


@pytest.mark.parametrize(
    ("run", "report", "limit_s"),
    [
        ("crashed", REPORT, UNCONFIRMED_S),
        ("crashed", None, UNCONFIRMED_S),
        ("pending", None, UNSTARTED_S),
        ("pending", REPORT, UNSTARTED_S),
        ("running", None, UNSTARTED_S),
        ("running", REPORT, SILENT_S),
        ("running", READY, UNCONFIRMED_S),
        ("cancelling", None, UNSTARTED_S),
        ("cancelling", REPORT, SILENT_S),
        ("cancelling", READY, UNCONFIRMED_S),
    ],
)
def test_an_engine_is_dead_once_nothing_was_heard_for_long_enough(
    run: RunState, report: Progress | None, limit_s: float
) -> None:
    short, long = limit_s - MARGIN_S, limit_s + MARGIN_S
    assert not watching(run, in_state_s=short, silent_s=short).engine_is_dead(report)
    assert watching(run, in_state_s=long, silent_s=long).engine_is_dead(report)


@pytest.mark.parametrize("run", sorted({*get_args(RunState)} - {"crashed", "pending", "running", "cancelling"}))
def test_only_a_run_that_should_have_an_engine_can_have_lost_it(run: RunState) -> None:
    assert not watching(run, in_state_s=1e6, silent_s=1e6).engine_is_dead(REPORT)
    assert not watching(run, in_state_s=1e6, silent_s=1e6).engine_is_dead(None)


def test_an_engine_that_reports_lives_however_long_its_run_lasts() -> None:
    assert not watching("running", in_state_s=1e6, silent_s=0.0).engine_is_dead(REPORT)
    assert not watching("pending", in_state_s=1e6, silent_s=0.0).engine_is_dead(REPORT)


def test_a_run_that_is_taken_up_again_has_its_time_to_report() -> None:
    watch = watching("crashed", in_state_s=1e6, silent_s=1e6)
    watch.note_run("pending")
    assert not watch.engine_is_dead(REPORT)
    watch.note_run("crashed")
    assert not watch.engine_is_dead(REPORT)


def test_a_state_that_is_seen_again_goes_on_lasting() -> None:
    watch = watching("crashed", in_state_s=UNCONFIRMED_S + MARGIN_S)
    watch.note_run("crashed")
    assert watch.engine_is_dead(REPORT)


def test_only_a_new_report_is_a_sign_of_life() -> None:
    watch = watching("running", silent_s=SILENT_S + MARGIN_S)
    watch.note_report(REPORT)
    watch.note_report(None)
    assert watch.engine_is_dead(REPORT)
    watch.note_report(Progress("job-1", 1, "worker", BEAT + timedelta(seconds=1)))
    assert not watch.engine_is_dead(REPORT)


@pytest.mark.parametrize("aside", sorted(SET_ASIDE))
def test_a_report_from_before_a_run_was_set_aside_says_nothing_of_its_next_engine(aside: RunState) -> None:
    watch = watching("running", in_state_s=1e6, silent_s=1e6)
    watch.note_run(aside)
    last, next_one = (replace(REPORT, heartbeat_at=BEAT + timedelta(seconds=second)) for second in (1, 2))
    watch.note_report(last)  # as of an engine that has just let go
    watch.heartbeat_since -= SILENT_S + MARGIN_S
    for run in ("pending", "running"):
        watch.note_run(run)
        assert not watch.engine_is_dead(last)
        assert not watch.engine_is_dead(replace(last, results_ready_at=BEAT))
    watch.note_report(next_one)
    watch.heartbeat_since -= SILENT_S + MARGIN_S
    assert watch.engine_is_dead(next_one)


def test_a_run_that_the_user_had_go_on_is_told_from_one_that_was_resumed_in_prefect() -> None:
    watch = watching("paused")
    watch.resumed = True
    watch.note_run("resuming")
    assert watch.resumed
    watch.note_run("pending")
    watch.note_run("resuming")
    assert not watch.resumed


def test_clocks_that_differ_between_machines_do_not_kill() -> None:
    watch = Watch()
    watch.note_run("running")
    report = Progress("job-1", 1, "worker", BEAT - timedelta(hours=1))
    watch.note_report(report)
    assert not watch.engine_is_dead(report)
    assert (watch.run, watch.heartbeat) == ("running", report.heartbeat_at)


def test_a_run_left_lying_waits_for_a_worker() -> None:
    assert watching("scheduled", in_state_s=QUEUED_S + MARGIN_S).waits_for_a_worker
    assert not watching("scheduled", in_state_s=QUEUED_S - MARGIN_S).waits_for_a_worker
    assert not watching("running", in_state_s=QUEUED_S + MARGIN_S).waits_for_a_worker
