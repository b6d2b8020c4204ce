"""Scores that are computed from texts alone, with no model.

A new metric is a class in `core.spec`, which names its templates and scores, a pure function in `tasks.metrics`, and
a case in `measure`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, assert_never

import orjson

from core.errors import TemplateInvalid
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
from core.result import Outcome, Score
from tasks.metrics.accuracy import accuracy
from tasks.metrics.bleu import sentence_bleu
from tasks.metrics.exact_match import exact_match
from tasks.metrics.f1 import f1
from tasks.metrics.final_number import final_number
from tasks.metrics.function_call import function_call
from tasks.metrics.number_check import number_check
from tasks.metrics.rouge import rouge
from tasks.metrics.string_check import string_check
from tasks.metrics.subject import Subject
from tasks.metrics.tool_calling import tool_calling
from tasks.metrics.unparsable import Unparsable
from tasks.templates.template import MissingField, Template, compile_template, context


class Measure(NamedTuple):
    """One score of a metric; the fields are those of `Score`."""

    value: float
    passed: bool | None = None
    detail: str | None = None


def computed_scores(metric: ComputedMetric, subjects: Iterable[Subject]) -> Iterator[Score]:
    """Yield the metric's scores of each subject; one that cannot be computed says why, and has no value."""
    templates = {
        part: compile_template(source, where=f"metric {metric.name!r} ({part})")
        for part, source in metric.templates.items()
    }
    for subject in subjects:
        for name, measured in zip(metric.scores, _measured(metric, templates, subject), strict=True):
            if isinstance(measured, Measure):
                yield subject.score(metric.name, name, "scored", **measured._asdict())
            else:
                outcome, error = measured
                yield subject.score(metric.name, name, outcome, error=error)


def measure(metric: ComputedMetric, texts: Mapping[str, str]) -> Sequence[Measure | Unparsable]:  # noqa: C901 - a case a metric
    """Return a metric's scores, in the order of its names, of the texts that its templates gave.

    One that cannot be told from these texts, while others can, is the reason why. Raises Unparsable for a text that the
    metric cannot read.
    """
    match metric:
        case StringCheck():
            return [_check(string_check(texts["left"], metric.operator, texts["right"]))]
        case NumberCheck():
            return [_check(number_check(texts["left"], metric.operator, texts["right"], epsilon=metric.epsilon))]
        case Bleu():
            value, counts = sentence_bleu(texts["candidate"], [texts[part] for part in texts if part != "candidate"])
            scale = 0.01 if metric.score else 1.0
            return [Measure(value * scale, detail=orjson.dumps(counts).decode())]
        case FinalNumber():
            return [_check(value) for value in final_number(**texts, marker=metric.marker)]
        case Rouge():
            return [Measure(value) for value in rouge(**texts)]
        case F1():
            return [Measure(f1(**texts))]
        case ExactMatch():
            return [_check(exact_match(**texts))]
        case Accuracy():
            return [_check(accuracy(**texts))]
        case ToolCalling():
            return [_check(value) if isinstance(value, float) else value for value in tool_calling(**texts)]
        case FunctionCall():
            return [_check(function_call(**texts))]
        case _:
            assert_never(metric)


def _check(value: float) -> Measure:
    return Measure(value, passed=value == 1.0)


def _measured(
    metric: ComputedMetric, templates: Mapping[str, Template], subject: Subject
) -> Sequence[Measure | tuple[Outcome, str | None]]:
    """Return the scores of a subject, or for each of them why there is none."""
    if lost := subject.lost:
        return [(lost.outcome, lost.error)] * len(metric.scores)
    with_response = any(template.reads_response for template in templates.values())
    values = context(subject.row, subject.values(with_response=with_response))
    try:
        measures = measure(metric, {part: template.render(values) for part, template in templates.items()})
        return [_unread(metric, templates, each) if isinstance(each, Unparsable) else each for each in measures]
    except Unparsable as error:
        failed = _unread(metric, templates, error)
    except MissingField as error:
        failed = "missing_field", str(error)
    except TemplateInvalid as error:
        failed = "metric_error", error.message
    return [failed] * len(metric.scores)


def _unread(metric: ComputedMetric, templates: Mapping[str, Template], error: Unparsable) -> tuple[Outcome, str | None]:
    return _blamed(error.part, templates), f"metric {metric.name!r} ({error.part}): {error}"


def _blamed(part: str, templates: Mapping[str, Template]) -> Outcome:
    """Tell whether an unreadable text is the output, or what it is compared with."""
    from_output = templates[part].reads_sample or not any(each.reads_sample for each in templates.values())
    return "output_unparsable" if from_output else "metric_error"
