"""Gates of CI: what they end with, and the line that says why."""

from typing import Any

import pytest

from cli.gates import By, Demand, check_comparison, check_summaries, read_gate
from cli.main import answer
from core.errors import InvalidInput
from core.result import Outcome, Score, Summary
from tasks.summaries.aggregator import Aggregator
from tests.tasks.specs import CORRECT, recorded, spec


def summaries(passed: int, failed: int, lost: int = 0) -> list[Summary]:
    aggregator = Aggregator(spec(recorded("said"), [], CORRECT).tasks)
    ends: list[tuple[Outcome, float | None]] = [("scored", 1.0)] * passed
    ends += [("scored", 0.0)] * failed
    ends += [("judge_error", None)] * lost
    for sample, (outcome, value) in enumerate(ends):
        aggregator.add([Score("qa", sample, "target", 0, "correct", "string-check", outcome, value)])
    return aggregator.summaries()


NAMED = "qa / target / correct / string-check"


@pytest.mark.parametrize(
    ("least", "by", "told"),
    [
        (["correct=0.67"], "interval", (0, f"passed: {NAMED}: 0.778 [0.676, 0.855] is at least 0.67")),
        (["correct/string-check=0.9"], "interval", (1, f"failed: {NAMED}: 0.778 [0.676, 0.855] is below 0.9")),
        (
            ["correct=0.7"],
            "interval",
            (3, f"inconclusive: {NAMED}: 0.778 [0.676, 0.855] may be below 0.7, and may not"),
        ),
        (["correct=0.7"], "mean", (0, f"passed: {NAMED}: 0.778 [0.676, 0.855] is at least 0.7")),
        (["correct=0.78"], "mean", (1, f"failed: {NAMED}: 0.778 [0.676, 0.855] is below 0.78")),
        (["correct=0.7", "correct=0.9"], "interval", (1, f"failed: {NAMED}: 0.778 [0.676, 0.855] is below 0.9")),
    ],
)
def test_the_least_of_a_metric_is_asked_of_its_interval_or_of_its_mean(
    least: list[str], by: By, told: tuple[int, str]
) -> None:
    assert check_summaries(summaries(63, 18), read_gate(least, by, None)) == told


def test_a_share_of_excluded_samples_is_the_most_that_may_be() -> None:
    made = summaries(63, 18, lost=19)
    assert check_summaries(made, read_gate([], "interval", 0.19))[0] == 0
    assert check_summaries(made, read_gate([], "interval", 0.18)) == (
        1,
        f"failed: {NAMED}: 81 of 100 scored, and a share of more than 0.18 excluded",
    )
    assert check_summaries(made, read_gate(["correct=0.7"], "mean", 0.18))[0] == 1


def test_of_what_has_no_score_nobody_can_tell() -> None:
    for by in ("interval", "mean"):
        told = check_summaries(summaries(0, 0, lost=3), read_gate(["correct=0"], by, None))
        assert told == (3, f"inconclusive: {NAMED}: no mean [nothing_scored] tells nothing about 0")


@pytest.mark.parametrize("given", ["correct", "=1", "correct=", "correct=high", "correct=nan", "correct=inf"])
def test_what_is_no_gate_is_refused_before_anything_is_run(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["run", "spec.yaml", "--min", given]) == 2
    assert f"--min: write METRIC=VALUE, as in correct=0.8, and not {given!r}" in capsys.readouterr().err


def test_what_the_job_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="--max-excluded: a share is between 0 and 1, and not 5"):
        read_gate([], "interval", 5)
    with pytest.raises(InvalidInput, match="--by mean: it says what must reach a --min, and there is none"):
        read_gate([], "mean", 0.1)
    with pytest.raises(InvalidInput, match="no score of a metric 'nope': name one of correct/string-check"):
        check_summaries(summaries(1, 0), read_gate(["nope=1"], "interval", None))


def test_only_what_decides_opens_and_closes_the_check_comparison() -> None:
    worse: dict[str, Any] = {"metric": "m", "name": "s", "primary": True, "verdict": "worse", "non_inferior": True}
    better = worse | {"metric": "n", "verdict": "better"}
    assert check_comparison([worse | {"primary": False, "verdict": None}, better], Demand())[0] == 0
    assert check_comparison([worse, better], Demand()) == (1, "failed: m / s is worse")
    assert check_comparison([worse, better], Demand("non-inferior")) == (0, "passed: m / s, n / s are non-inferior")
    assert check_comparison([worse, better], Demand("non-inferior", "worse")) == (1, "failed: m / s is worse")
    assert check_comparison([worse, better], Demand("better")) == (1, "failed: m / s is worse, not better")
