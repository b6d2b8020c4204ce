from dataclasses import replace

import orjson
import pytest

from core.metric import MetricSpec
from core.result import Output
from tasks.metrics.subject import Subject, subjects
from tests.tasks.specs import CORRECT, ITS_OWN, preferring

ROWS = [{"n": 5}, {"n": 6}]
PREFERENCE = preferring("http://127.0.0.1:1/v1")


def output(sample: int, target: str) -> Output:
    response = orjson.dumps({"said": f"{target}{sample}"}).decode()
    return Output("qa", sample, target, text=f"{target}{sample}", response=response)


OUTPUTS = [output(sample, target) for sample in (5, 6) for target in ("a", "best", "b")]


def about(metric: MetricSpec, outputs: list[Output]) -> list[Subject]:
    return list(subjects(metric, outputs, ROWS, 5, responses=ITS_OWN, reference="best"))


def test_a_reference_goes_with_each_output_and_is_not_scored_itself() -> None:
    found = about(CORRECT, OUTPUTS)
    assert [(subject.sample, subject.target, subject.row["n"]) for subject in found] == [
        (5, "a", 5),
        (5, "b", 5),
        (6, "a", 6),
        (6, "b", 6),
    ]
    assert [subject.values()["reference_text"] for subject in found] == ["best5", "best5", "best6", "best6"]
    assert found[1].values(with_response=True) == {
        "output_text": "b5",
        "tool_calls": [],
        "response": {"said": "b5"},
        "reference_text": "best5",
        "reference_response": {"said": "best5"},
    }


def test_a_pair_is_that_of_the_two_targets_beside_the_reference() -> None:
    first, second = about(PREFERENCE, OUTPUTS)
    assert [each.target for each in first.outputs] == ["a", "b"]
    swapped = second.values(swapped=True)
    assert (swapped["output_a"], swapped["output_b"], swapped["reference_text"]) == ("b6", "a6", "best6")


def test_without_a_reference_every_target_is_scored() -> None:
    found = list(subjects(CORRECT, OUTPUTS, ROWS, 5, responses=ITS_OWN))
    assert [subject.target for subject in found[:3]] == ["a", "best", "b"]
    assert set(found[0].values()) == {"output_text", "tool_calls", "response"}


@pytest.mark.parametrize("metric", [CORRECT, PREFERENCE])
def test_a_lost_reference_loses_what_is_held_against_it(metric: MetricSpec) -> None:
    gone = replace(OUTPUTS[1], outcome="target_error", text=None, error="HTTP 503")
    lost = [subject.lost for subject in about(metric, [OUTPUTS[0], gone, *OUTPUTS[2:]])]
    assert lost[0] is not None
    assert (lost[0].outcome, lost[0].error) == ("target_error", "the reference 'best' gave no output: HTTP 503")
    assert lost[-1] is None


def test_an_output_s_own_loss_comes_before_that_of_its_reference() -> None:
    own = replace(OUTPUTS[0], outcome="refused", error="a filter")
    gone = replace(OUTPUTS[1], outcome="target_error", error="HTTP 503")
    first, second = (subject.lost for subject in about(CORRECT, [own, gone, OUTPUTS[2]]))
    assert first == own
    assert second is not None
    assert second.outcome == "target_error"
