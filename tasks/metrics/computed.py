"""Scores that are computed from texts alone, with no model.

A metric is a class in `core.metric`, which names its templates and scores, and a function `measure` in the module here
that is called as its type.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module

from core.metric import ComputedMetric
from core.result import Outcome, Score
from tasks.endpoint.breaker import Watch
from tasks.metrics.measure import Measure, Texts, Unparsable
from tasks.metrics.subject import Subject
from tasks.templates.pool import Given, render_each
from tasks.templates.rendering import Rendered, Unrendered
from tasks.templates.template import Template, compile_body, compile_template


def computed_scores(metric: ComputedMetric, subjects: Sequence[Subject], watch: Watch) -> Iterator[Score]:
    """Yield the metric's scores of each subject; one that cannot be computed says why, and has no value."""
    where = f"metric {metric.name!r}"
    parts = compile_body(metric.templates, where=where, json_values=False)
    templates = {part: compile_template(source, where=f"{where} ({part})") for part, source in metric.templates.items()}
    given = (
        Given(
            subject.row,
            subject.values(with_response=parts.reads_response),
            watch.fuse(subject.task, subject.target, metric.name),
        )
        for subject in subjects
        if not subject.lost
    )
    texts = render_each(parts, given, heed=watch.heed)
    for subject in subjects:
        measures: Sequence[Measure | tuple[Outcome, str | None]]
        if lost := subject.lost:
            measures = [(lost.outcome, lost.error)] * len(metric.scores)
        else:
            measures = _measured(metric, templates, next(texts))
        for name, measured in zip(metric.scores, measures, strict=True):
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
    metric: ComputedMetric, templates: Mapping[str, Template], texts: Rendered
) -> Sequence[Measure | tuple[Outcome, str | None]]:
    """Return the scores of a subject's texts, or for each of them why there is none."""
    if isinstance(texts, Unrendered):
        return [(texts.score_outcome, texts.error)] * len(metric.scores)
    try:
        measures = measure(metric, texts)
        return [_unread(metric, templates, each) if isinstance(each, Unparsable) else each for each in measures]
    except Unparsable as error:
        return [_unread(metric, templates, error)] * len(metric.scores)


def _unread(metric: ComputedMetric, templates: Mapping[str, Template], error: Unparsable) -> tuple[Outcome, str | None]:
    return _blamed(error.part, templates), f"metric {metric.name!r} ({error.part}): {error}"


def _blamed(part: str, templates: Mapping[str, Template]) -> Outcome:
    """Tell whether an unreadable text is the output, or what it is compared with."""
    from_output = templates[part].reads_sample or not any(each.reads_sample for each in templates.values())
    return "output_unparsable" if from_output else "metric_error"
