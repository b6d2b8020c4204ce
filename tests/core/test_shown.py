from dataclasses import replace
from typing import Any

import pytest

from core import shown
from core.result import Summary
from core.stats.repeats import Repeats
from tests.tasks.specs import alike

MADE = Summary(
    "qa", "t", "graded", "grade", 81, 19, *alike(0.778), {"scored": 81, "judge_error": 12, "refused": 7}, samples=81
)
SURE = replace(MADE, ci_low=0.6759, ci_high=0.8546, ci_method="wilson", cautions=["excluded_samples"])


def test_a_mean_is_never_shown_alone() -> None:
    assert (
        shown.figure(SURE) == "0.778 [0.676, 0.855] · 81 of 100 scored · 12 judge_error, 7 refused · excluded_samples"
    )
    whole = replace(SURE, nan_count=0, outcomes={"scored": 81}, cautions=[])
    assert shown.figure(whole) == "0.778 [0.676, 0.855] · 81 of 81 scored"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"scale_min": None}, "0.778 [no_variation]"),
        ({"scale_min": None, "samples": 1}, "0.778 [too_few]"),
        ({"scale_min": 0.0, "clusters": 1}, "0.778 [one_cluster]"),
        ({"mean": None}, "no mean [nothing_scored]"),
        ({"samples": None}, "0.778"),
        ({"samples": None, "mean": None}, "no mean"),
    ],
)
def test_in_the_place_of_an_interval_stands_why_there_is_none(fields: dict[str, Any], expected: str) -> None:
    assert shown.mean(replace(MADE, **fields)) == expected


def test_words_are_explained_once_in_their_order() -> None:
    assert shown.legend([replace(SURE, cautions=["truncated", "few_samples"]), SURE, replace(MADE, mean=None)]) == [
        "nothing_scored: nothing was scored",
        "few_samples: fewer than 30 samples were scored",
        "excluded_samples: 1 % of the samples or more were not scored, and the mean says nothing of them",
        "truncated: more than 1 % of the outputs were cut off at their longest",
    ]


def test_what_trials_tell_is_told_and_explained() -> None:
    repeats = Repeats(
        k=3,
        within_variance=0.1,
        between_variance=None,
        rerun_stderr=0.0341,
        enough_trials=None,
        pass_at_k=0.9,
        pass_at_k_low=0.8,
        pass_at_k_high=0.95,
        pass_hat_k=0.5,
        pass_hat_k_low=0.4,
        pass_hat_k_high=0.6,
        too_few_trials=0,
        consistency=0.6,
        flip_rate=0.25,
    )
    repeated = replace(SURE, samples=27, repeats=repeats, cautions=[])
    assert shown.figure(repeated) == (
        "0.778 [0.676, 0.855] · 81 of 100 trials scored · 12 judge_error, 7 refused · "
        "27 samples, pass@3 0.900, pass^3 0.500, flip rate 0.250, rerun ±0.034"
    )
    assert [line.partition(":")[0] for line in shown.legend([repeated])] == [*("pass@k, pass^k", "flip rate", "rerun")]


def test_what_scored_next_to_nothing_is_named() -> None:
    few = replace(MADE, count=3, nan_count=17, outcomes={"scored": 3, "judge_error": 17})
    assert shown.shortfall([SURE]) is None
    assert shown.shortfall([]) is None
    assert shown.shortfall([replace(few, count=10, nan_count=10)]) is None
    none = replace(few, count=0, nan_count=20, outcomes={"judge_unparsable": 20})
    assert shown.shortfall([none]) == "Nothing was scored: qa / t / graded / grade 0 of 20 (20 judge_unparsable)"
    said = shown.shortfall([SURE, few, none, *[replace(few, metric=f"m{i}") for i in range(3)]])
    assert said == (
        "Less than half was scored: qa / t / graded / grade 3 of 20 (17 judge_error); qa / t / graded / grade 0 of 20 "
        "(20 judge_unparsable); qa / t / m0 / grade 3 of 20 (17 judge_error); and of 2 more"
    )


def test_many_excluded_samples_meet_the_eye() -> None:
    assert shown.many_are_excluded(SURE)
    assert not shown.many_are_excluded(replace(SURE, count=96, nan_count=4))


def test_the_score_of_which_the_least_was_scored_is_the_first_with_the_smallest_share() -> None:
    few, fewer = replace(MADE, count=3, nan_count=7), replace(MADE, count=20, nan_count=80)
    assert shown.least_scored([MADE, few, fewer, replace(fewer, name="other")]) is fewer
    assert shown.least_scored([replace(MADE, count=0, nan_count=0), MADE]).count == 0
