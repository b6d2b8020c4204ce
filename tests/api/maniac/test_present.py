from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.maniac.present import STATUS, RunStatus, break_reason, to_per_eval
from core.job import JobStatus
from core.result import Summary
from store.results import CallEnd, ScoreOf

KEY = ScoreOf("evaluation", "m", "helpful", "score")


def test_every_status_is_shown_as_one_and_each_is_that_of_some():
    assert STATUS.keys() == set(get_args(JobStatus))
    assert set(STATUS.values()) == set(get_args(RunStatus))


@given(scored=st.integers(0, 50), errors=st.integers(0, 50), missing=st.integers(0, 50), data=st.data())
def test_the_counts_of_an_evaluator_add_up(scored, errors, missing, data):
    passed = data.draw(st.integers(0, scored))
    mean = 0.5 if scored else None
    summary = Summary(*KEY, scored, errors, None, mean, None, None, None, None, None, None, {})
    shown = to_per_eval(summary, passed, scored + errors + missing, None)
    assert shown.num_scored + shown.num_errors == shown.num_total
    assert shown.num_passed + shown.num_failed == shown.num_scored
    assert shown.num_total + shown.num_missing == shown.expected_count
    assert shown.accuracy == shown.avg_accuracy == (passed / scored if scored else None)
    assert shown.avg_score == mean


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (CallEnd("evaluation", "m", "helpful", "not_attempted", "401"), "401"),
        (CallEnd("evaluation", "m", "", "not_attempted", "401"), "401"),
        (CallEnd("evaluation", "m", "other", "not_attempted", "401"), None),
        (CallEnd("evaluation", "n", "helpful", "not_attempted", "401"), None),
        (CallEnd("evaluation", "m", "helpful", "error", "401"), None),
    ],
)
def test_an_evaluator_was_stopped_if_its_judge_or_the_model_was_no_longer_asked(end, reason):
    answered = CallEnd("evaluation", "m", "helpful", "answered", None)
    assert break_reason(KEY, [answered, end]) == reason
    assert break_reason(KEY, [answered]) is None
