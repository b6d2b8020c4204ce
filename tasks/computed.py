"""Scores that are computed from the text alone, with no model."""

from collections.abc import Iterable, Iterator

from core.errors import TemplateInvalid
from core.result import Score
from core.spec import StringCheck
from tasks.metrics.string_check import string_check
from tasks.subject import Subject
from tasks.templates import MissingField, compile_template, context

STRING_CHECK = "string-check"


def string_checks(metric: StringCheck, subjects: Iterable[Subject]) -> Iterator[Score]:
    """Yield the string check of each subject."""
    left = compile_template(metric.left, where=f"metric {metric.name!r} (left)")
    right = compile_template(metric.right, where=f"metric {metric.name!r} (right)")
    with_response = left.reads_response or right.reads_response
    for subject in subjects:
        if lost := subject.lost:
            yield subject.score(metric.name, STRING_CHECK, lost.outcome, error=lost.error)
            continue
        values = context(subject.row, subject.values(with_response=with_response))
        try:
            value = string_check(left.render(values), metric.operator, right.render(values))
        except MissingField as error:
            yield subject.score(metric.name, STRING_CHECK, "missing_field", error=str(error))
        except TemplateInvalid as error:
            yield subject.score(metric.name, STRING_CHECK, "metric_error", error=error.message)
        else:
            yield subject.score(metric.name, STRING_CHECK, "scored", value=value, passed=value == 1.0)
