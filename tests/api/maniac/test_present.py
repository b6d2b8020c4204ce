from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.maniac.present import STATUS, RunStatus, break_reason, to_per_eval
from core.job import JobStatus
from core.result import Summary
from store.results.counts import ScoreOf

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
    ("scored", "unscored", "reason"),
    [
        (0, {"target_error": "HTTP 404", "not_attempted": "gone"}, "gone"),
        (3, {"metric_error": "2 s", "not_attempted": "stopped"}, "stopped"),
        (0, {"judge_unparsable": "well"}, "well"),
        (3, {"judge_unparsable": "well"}, None),
        (3, {}, None),
        (0, {}, None),
    ],
)
def test_an_evaluator_that_was_stopped_or_scored_nothing_says_why(scored, unscored, reason):
    summary = Summary(*KEY, scored, 2, None, None, None, None, None, None, None, None, {})
    assert break_reason(summary, unscored) == reason
