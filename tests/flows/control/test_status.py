from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Conflict
from core.job import TERMINAL, Intent, JobStatus
from core.steering import passing_status
from flows.control.status import BEGUN, OWN_PAUSE, RunState, next_status, run_state

STATUSES = get_args(JobStatus)
RUNS = get_args(RunState)
INTENTS = get_args(Intent)


def test_every_combination_has_a_status_and_a_terminal_one_is_final() -> None:
    every = list(product(STATUSES, RUNS, INTENTS))
    following = {each: next_status(*each) for each in every}
    assert [each for each in every if following[each] not in STATUSES] == []
    assert [each for each in every if each[0] in TERMINAL and following[each] != each[0]] == []


@given(st.sampled_from(sorted(BEGUN)), st.sampled_from(["scheduled", "pending", "crashed", "running"]))
def test_a_job_that_has_begun_never_looks_as_if_it_had_not(current: JobStatus, run: RunState) -> None:
    assert next_status(current, run, "run") in BEGUN
    assert next_status(current, run, "pause") in BEGUN


@given(st.lists(st.tuples(st.sampled_from(RUNS), st.sampled_from(INTENTS))))
def test_a_job_ends_in_at_most_one_terminal_status(steps: list[tuple[RunState, Intent]]) -> None:
    status: JobStatus = "created"
    terminal: list[JobStatus] = []
    for run, intent in steps:
        try:
            status = passing_status(status, intent)
        except Conflict:
            assert intent != "delete"
        status = next_status(status, run, intent)
        if status in TERMINAL and status not in terminal:
            terminal.append(status)
    assert len(terminal) <= 1
    assert not terminal or status == terminal[0]


@given(st.sampled_from([s for s in STATUSES if s not in TERMINAL]), st.sampled_from(RUNS))
def test_a_cancelled_job_never_goes_back_to_work(current: JobStatus, run: RunState) -> None:
    following = next_status(current, run, "cancel")
    assert following in TERMINAL | {"cancelling"}


def test_an_ordinary_job_is_created_pending_running_completed() -> None:
    status: JobStatus = "created"
    seen = [status]
    for run in ("none", "scheduled", "pending", "running", "running", "completed"):
        status = next_status(status, run, "run")
        seen.append(status)
    assert seen == ["created", "created", "created", "pending", "running", "running", "completed"]


def test_a_crash_that_is_started_again_stays_running() -> None:
    status: JobStatus = "running"
    for run in ("crashed", "scheduled", "pending", "running"):
        status = next_status(status, run, "run")
        assert status == "running"


def test_pausing_ends_in_paused_and_resuming_in_running() -> None:
    assert next_status("pausing", "running", "pause") == "pausing"
    assert next_status("pausing", "paused", "pause") == "paused"
    assert next_status("resuming", "paused", "run") == "resuming"
    assert next_status("resuming", "scheduled", "run") == "resuming"
    assert next_status("resuming", "running", "run") == "running"


def test_a_pause_in_prefect_shows_as_paused() -> None:
    assert next_status("running", "paused", "run") == "paused"
    assert next_status("paused", "paused", "run") == "paused"


def test_a_run_that_its_own_engine_suspended_goes_on_if_the_job_shall_run() -> None:
    assert next_status("pausing", "suspended", "pause") == "paused"
    assert next_status("running", "suspended", "run") == "resuming"
    assert next_status("resuming", "suspended", "run") == "resuming"


def test_a_flow_run_that_is_gone_leaves_the_job_unknown_unless_it_was_unwanted() -> None:
    assert next_status("running", "gone", "run") == "unknown"
    assert next_status("cancelling", "gone", "cancel") == "cancelled"


def test_run_states_go_by_type_except_resuming() -> None:
    assert run_state("RUNNING", "Retrying") == "running"
    assert run_state("SCHEDULED", "Late") == "scheduled"
    assert run_state("PAUSED", "Suspended") == run_state("PAUSED", "Suspended", "their-key") == "paused"
    assert run_state("PAUSED", "Suspended", OWN_PAUSE + "1") == "suspended"
    assert run_state("SCHEDULED", "Resuming") == "resuming"
    assert {run_state(t, t.title()) for t in ("PENDING", "PAUSED", "CANCELLING", "CRASHED")} <= set(RUNS)


@pytest.mark.parametrize("run", ["paused", "resuming", "scheduled", "pending", "running"])
def test_a_paused_job_stays_so_until_it_is_resumed(run: RunState) -> None:
    assert next_status("paused", run, "pause") == "paused"
    assert next_status("pausing", run, "pause") == ("paused" if run == "paused" else "pausing")
