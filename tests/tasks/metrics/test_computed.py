import json
from typing import Any, get_args

import pytest

from core.metric import (
    F1,
    Accuracy,
    Bleu,
    ComputedMetric,
    ExactMatch,
    FinalNumber,
    FunctionCall,
    NumberCheck,
    Rouge,
    StringCheck,
    ToolCalling,
)
from core.result import Output, Score
from tasks.endpoint.breaker import Unwatched
from tasks.metrics.computed import computed_scores
from tasks.metrics.subject import Subject
from tests.tasks.specs import ITS_OWN

ROW = {"answer": "4 cats", "calls": [{"name": "f", "arguments": {}}], "truth": [{"f": {}}]}
CALLS = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
ANSWER = "{{ item.answer }}"

METRICS: list[ComputedMetric] = [
    StringCheck(name="m", left="{{ sample.output_text }}", operator="equals", right=ANSWER),
    NumberCheck(name="m", left="{{ sample.output_text }}", operator="==", right=ANSWER),
    FinalNumber(name="m", candidate="# {{ sample.output_text }}", reference=ANSWER, marker="#"),
    Bleu(name="m", references=(ANSWER, "five dogs")),
    Rouge(name="m", reference=ANSWER),
    ExactMatch(name="m", reference=ANSWER),
    F1(name="m", reference=ANSWER),
    Accuracy(name="m", reference=ANSWER),
    ToolCalling(name="m", reference="{{ item.calls | tojson }}"),
    FunctionCall(name="m", reference="{{ item.truth | tojson }}"),
]
BY_TYPE = pytest.mark.parametrize("metric", METRICS, ids=[metric.type for metric in METRICS])


def score(metric: ComputedMetric, text: str | None = "4 cats", row: dict[str, Any] = ROW, **output: Any) -> list[Score]:
    output.setdefault("tool_calls", json.dumps(CALLS))
    about = Subject("qa", 3, "target", 0, row, (Output("qa", 3, "target", text=text, **output),), ITS_OWN)
    return list(computed_scores(metric, [about], Unwatched()))


def test_every_metric_is_here() -> None:
    assert {type(metric) for metric in METRICS} == set(get_args(ComputedMetric))
    assert len({metric.type for metric in METRICS}) == len(METRICS)


@BY_TYPE
def test_the_reference_itself_gets_the_highest_score_under_every_name(metric: ComputedMetric) -> None:
    scores = score(metric)
    assert tuple(each.name for each in scores) == metric.scores
    assert [(each.outcome, each.error) for each in scores] == [("scored", None)] * len(scores)
    best = metric.scale.high
    expected = [best, best, 0, best] if isinstance(metric, Rouge) else [best] * len(scores)  # two words: no trigram
    assert [each.value for each in scores] == pytest.approx(expected)


@BY_TYPE
def test_what_could_not_be_had_is_not_scored(metric: ComputedMetric) -> None:
    scores = score(metric, None, outcome="refused", error="400")
    assert [(each.outcome, each.value, each.error) for each in scores] == [("refused", None, "400")] * len(
        metric.scores
    )
    lost = score(metric, row={})
    assert [(each.outcome, each.value) for each in lost] == [("missing_field", None)] * len(metric.scores)


@pytest.mark.parametrize(
    ("metric", "outcome"),
    [
        (NumberCheck(name="m", left="{{ sample.output_text }}", operator="==", right="4"), "output_unparsable"),
        (NumberCheck(name="m", left="4", operator="==", right="{{ sample.output_text }}"), "output_unparsable"),
        (NumberCheck(name="m", left="{{ sample.output_text }} 4", operator="==", right="none"), "metric_error"),
        (NumberCheck(name="m", left="{{ item.answer }}", operator="==", right="{{ item.none }}"), "output_unparsable"),
        (ToolCalling(name="m", reference="[]"), "output_unparsable"),
        (ToolCalling(name="m", candidate="{{ sample.output_text }}", reference="[1]"), "output_unparsable"),
        (ToolCalling(name="m", candidate="[]", reference="{{ item.none }}"), "output_unparsable"),
        (FunctionCall(name="m", reference="[]"), "output_unparsable"),
        (FunctionCall(name="m", candidate="{{ sample.tool_calls | length }}", reference="[]"), "output_unparsable"),
        (FunctionCall(name="m", candidate="[{{ '' if sample.output_text }}]", reference="none"), "metric_error"),
    ],
)
def test_a_text_that_cannot_be_read_is_no_zero(metric: ComputedMetric, outcome: str) -> None:
    broken = json.dumps([{"function": {"arguments": "{"}}])
    scores = score(metric, "no number", row=ROW | {"none": "none"}, tool_calls=broken)
    assert {(each.outcome, each.value) for each in scores} == {(outcome, None)}
    assert all(each.error and each.error.startswith("metric 'm' (") for each in scores)


def test_a_template_that_fails_is_the_metrics_error() -> None:
    [failed] = score(StringCheck(name="m", left="{{ 1 / 0 }}", operator="equals", right="x"))
    assert (failed.outcome, failed.value) == ("metric_error", None)
    assert failed.error == "metric 'm' (left), line 1: cannot be rendered: division by zero"


def test_checks_pass_or_fail_and_measures_do_not() -> None:
    assert [each.passed for metric in METRICS[:2] for each in score(metric)] == [True, True]
    [wrong] = score(METRICS[0], "5 dogs")
    assert (wrong.value, wrong.passed) == (0.0, False)
    assert {each.passed for metric in METRICS if isinstance(metric, Bleu) for each in score(metric)} == {None}


def test_no_tool_calls_are_none_and_a_column_of_that_name_is_the_rows() -> None:
    metric = ToolCalling(name="m", reference="{{ tool_calls | tojson }}")
    row = {"tool_calls": ROW["calls"]}
    assert [each.value for each in score(metric, "I cannot", row=row, tool_calls=None)] == [0.0, 0.0]
    assert [each.value for each in score(metric, row=row)] == [1.0, 1.0]


def test_the_score_of_a_number_check_may_have_another_name() -> None:
    metric = NumberCheck(name="m", left="1,000.0", operator="==", right="1000", score="exact")
    [scored] = score(metric)
    assert (scored.name, scored.value) == ("exact", 1.0)


def test_the_counts_of_a_sentence_are_kept_for_the_corpus() -> None:
    [scored] = score(Bleu(name="m", references=("4 cats and 5 dogs",)), "4 cats")
    assert json.loads(scored.detail or "") == {
        "counts": [2, 1, 0, 0],
        "totals": [2, 1, 0, 0],
        "sys_len": 2,
        "ref_len": 5,
    }
    assert scored.value == pytest.approx(100 * 2.718281828 ** (1 - 5 / 2))  # all n-grams match, the brevity is punished
