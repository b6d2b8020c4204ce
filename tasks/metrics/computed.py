"""Scores that are computed from texts alone, with no model.

A metric is a class in `core.metric`, which names its templates and scores, and a function `measure` in the module here
that is called as its type.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module

from core.errors import TemplateInvalid
from core.metric import ComputedMetric
from core.result import Outcome, Score
from tasks.metrics.measure import Measure, Texts, Unparsable
from tasks.metrics.subject import Subject
from tasks.templates.template import MissingField, Template, compile_template, context


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


def measure(metric: ComputedMetric, texts: Texts) -> Sequence[Measure | Unparsable]:
    """Return a metric's scores, in the order of its names, of the texts that its templates gave.

    One that cannot be told from these texts, while others can, is the reason why. Raises Unparsable for a text that the
    metric cannot read.
    """
    module = import_module(f"tasks.metrics.{metric.type.replace('-', '_')}")
    scores: Sequence[Measure | Unparsable] = module.measure(metric, texts)
    return scores


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
