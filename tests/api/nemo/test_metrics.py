from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from api.nemo.schema import metrics as wire
from api.nemo.translate.metrics import to_metric
from core.errors import SpecInvalid, Unsupported
from core.metric import F1, Accuracy, Bleu, ExactMatch, MetricSpec, NumberCheck, Rouge, ToolCalling

METRIC: TypeAdapter[wire.Metric] = TypeAdapter(wire.Metric)


def read(kind: str, *, reference: str | None = None, **params: Any) -> MetricSpec:
    body = {"type": kind, "params": params} if params else {"type": kind}
    return to_metric("m", METRIC.validate_python(body), "metrics.m", reference=reference)


@pytest.mark.parametrize(
    ("kind", "params", "expected"),
    [
        ("bleu", {"references": ["{{r}}", "b"]}, Bleu(name="m", references=("{{r}}", "b"))),
        ("bleu", {"references": ["r"], "candidate": "c"}, Bleu(name="m", references=("r",), candidate="c")),
        ("rouge", {"ground_truth": "{{r}}"}, Rouge(name="m", reference="{{r}}")),
        ("rouge", {"ground_truth": "r", "prediction": "p"}, Rouge(name="m", reference="r", candidate="p")),
        ("em", {"ground_truth": "r"}, ExactMatch(name="m", reference="r")),
        ("exact-match", {"ground_truth": "r"}, ExactMatch(name="m", reference="r")),
        ("f1", {"ground_truth": "r", "candidate": "c"}, F1(name="m", reference="r", candidate="c")),
        ("accuracy", {"ground_truth": "r"}, Accuracy(name="m", reference="r")),
        ("tool-calling", {"tool_calls_ground_truth": "{{t}}"}, ToolCalling(name="m", reference="{{t}}")),
        ("number-check", {"check": ["{{l}}", "<>", 7]}, NumberCheck(name="m", left="{{l}}", operator="!=", right="7")),
        ("number-check", {"check": ["l", "gt", "r"]}, NumberCheck(name="m", left="l", operator=">", right="r")),
        ("number-check", {"check": ["l", "LTE", "r"]}, NumberCheck(name="m", left="l", operator="<=", right="r")),
        (
            "number-check",
            {"check": ["l", "Greater than or equal to", "r"]},
            NumberCheck(name="m", left="l", operator=">=", right="r"),
        ),
        (
            "number-check",
            {"check": ["absolute difference", "l", "r", "epsilon", 0.5]},
            NumberCheck(name="m", left="l", operator="absolute difference", right="r", epsilon=0.5),
        ),
    ],
)
def test_a_metric_becomes_its_specification(kind: str, params: dict[str, Any], expected: MetricSpec) -> None:
    metric = read(kind, **params)
    assert metric == expected
    assert TypeAdapter(MetricSpec).validate_json(metric.model_dump_json()) == metric


@pytest.mark.parametrize(
    ("kind", "params", "field"),
    [
        ("bleu", {"candidate": "c"}, "metrics.m.params.references"),
        ("rouge", {"prediction": "p"}, "metrics.m.params.ground_truth"),
        ("f1", {}, "metrics.m.params.ground_truth"),
        ("string-check", {"check": ["a", "equals", "b", "c"]}, "metrics.m.params.check"),
        ("number-check", {"check": ["a", "resembles", "b"]}, "metrics.m.params.check"),
        ("number-check", {"check": ["a", "absolute difference", "b"]}, "metrics.m.params.check"),
        ("number-check", {"check": ["absolute difference", "a", "b", "epsilon"]}, "metrics.m.params.check"),
        ("number-check", {"check": ["absolute difference", "a", "b", "epsilon", "few"]}, "metrics.m.params.check"),
        ("number-check", {"check": ["absolute difference", "a", "b", "epsilon", -1]}, "metrics.m.params.check"),
        ("number-check", {"check": ["absolute difference", "a", "b", "epsilon", "nan"]}, "metrics.m.params.check"),
    ],
)
def test_what_is_wrong_is_refused_naming_the_place(kind: str, params: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        read(kind, **params)
    assert caught.value.field == field
    assert caught.value.message


def test_an_unknown_type_is_unsupported_and_a_wrong_form_invalid() -> None:
    with pytest.raises(Unsupported, match=r"metrics.m: metric type 'vibes' .* tool-calling"):
        read("vibes")
    for bad in ({"type": "tool-calling"}, {"type": "bleu", "params": {"references": []}}, {"type": 7}):
        with pytest.raises(ValidationError):
            METRIC.validate_python(bad)


def test_a_reference_that_goes_without_saying_is_the_usual_one() -> None:
    assert read("rouge", reference="{{usual}}") == Rouge(name="m", reference="{{usual}}")
    assert read("bleu", reference="{{usual}}") == Bleu(name="m", references=("{{usual}}",))
    assert read("em", reference="{{usual}}", ground_truth="own") == ExactMatch(name="m", reference="own")
