from collections import Counter
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.nugen.present.arithmetic import compare, metrics_of, statistics_of
from core.result import Outcome, Summary
from tasks.summaries.figures import summarise

VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=20)
STATISTICS = st.floats(0, 1) | st.none()


def summary(name: str, values: list[float], *, lost: int = 0) -> Summary:
    outcomes = Counter[Outcome]({"scored": len(values), "judge_unparsable": lost})
    return summarise(("t", "model", "judge", name), values, outcomes)


def test_the_standard_deviation_is_that_of_the_population() -> None:
    # (0.4 - 0.84)^2 + 2 (0.9 - 0.84)^2 + 2 (1 - 0.84)^2 = 0.252, of which a fifth
    found = statistics_of([summary("s", [0.4, 0.9, 0.9, 1.0, 1.0])])
    assert found["s_std"] == pytest.approx(sqrt(0.252 / 5), rel=0, abs=1e-12)
    assert found == pytest.approx({"s_mean": 0.84, "s_std": sqrt(0.0504), "s_min": 0.4, "s_max": 1.0})


def test_what_was_not_graded_is_a_question_but_no_part_of_the_statistics() -> None:
    found = metrics_of([summary("binary_correctness", [1, 1, 0], lost=2), summary("answer_relevance", [0.5])])
    assert (found["total_questions"], found["correct_answers"]) == (5, 2)
    assert found["accuracy"] == found["average_score"] == found["binary_correctness_mean"] == pytest.approx(2 / 3)
    assert found["relevance"] == 0.5


@given(VALUES)
def test_a_model_is_no_better_than_itself(values: list[float]) -> None:
    statistics = statistics_of([summary("s", values)])
    comparison = compare(statistics, statistics)
    assert {row.improvement for row in comparison.metrics} == {0}
    assert comparison.summary.avg_improvement == comparison.summary.max_improvement == 0
    assert [row.metric for row in comparison.metrics] == ["s_mean", "s_std", "s_min", "s_max"]


@given(STATISTICS, STATISTICS)
def test_an_improvement_is_in_percent_of_the_base(base: float | None, evaluated: float | None) -> None:
    (row,) = compare({"s_mean": base}, {"s_mean": evaluated}).metrics
    if base is None or evaluated is None:
        assert row.improvement is None
    elif base == 0:
        assert (row.improvement, type(row.improvement)) == (0, int)
    else:
        assert row.improvement == pytest.approx((evaluated / base - 1) * 100, abs=0.006, rel=1e-9)
