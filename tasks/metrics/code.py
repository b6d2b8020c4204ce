"""Scores that a user's function gives, in a sandbox."""

from collections.abc import Callable, Iterable, Iterator

from core.errors import TemplateInvalid
from core.metric import Code
from core.result import Score
from core.scale import scale_of
from tasks.endpoint.breaker import Fuse
from tasks.metrics.subject import Subject
from tasks.sandbox.contract import COSTLY, Evaluated, Sandbox
from tasks.templates.template import BodyTemplate, MissingField, compile_body, context

SCORE = "score"


def code_scores(
    sandbox: Sandbox, metric: Code, subjects: Iterable[Subject], *, fuse_of: Callable[[str, str, str], Fuse]
) -> Iterator[Score]:
    """Yield the evaluator's score of each subject; one that it gives none says what stopped it.

    What the evaluator printed is the feedback. It is run no more on the outputs of a task's target once the fuse
    of task, target and metric has blown.
    """
    item = compile_body(metric.item, where=f"metric {metric.name!r} (item)")
    for subject in subjects:
        yield _evaluated(sandbox, metric, item, subject, fuse_of(subject.task, subject.target, metric.name))


def _evaluated(sandbox: Sandbox, metric: Code, item: BodyTemplate, subject: Subject, fuse: Fuse) -> Score:
    if lost := subject.lost:
        return subject.score(metric.name, SCORE, lost.outcome, error=lost.error)
    if fuse.error:
        return subject.score(metric.name, SCORE, "not_attempted", error=f"metric {metric.name!r}: {fuse.error}")
    values = context(subject.row, subject.values(with_response=item.reads_response))
    try:
        result = sandbox.run(metric.source, item.render(values))
    except MissingField as error:
        return subject.score(metric.name, SCORE, "missing_field", error=str(error))
    except TemplateInvalid as error:
        return subject.score(metric.name, SCORE, "metric_error", error=error.message)
    feedback = result.printed or None
    if isinstance(result, Evaluated):
        fuse.note(None)
        return _scored(metric, subject, result.value, feedback)
    fuse.note(result.error if result.cause in COSTLY else None)
    stopped = f"metric {metric.name!r}: {result.error}"
    return subject.score(metric.name, SCORE, "metric_error", error=stopped, feedback=feedback)


def _scored(metric: Code, subject: Subject, value: float, feedback: str | None) -> Score:
    scale = scale_of(metric, SCORE)
    if scale and not scale.has(value):
        strayed = f"metric {metric.name!r}: {value:g} is not on its scale, {scale.low:g} to {scale.high:g}"
        return subject.score(metric.name, SCORE, "metric_error", error=strayed, feedback=feedback)
    passed = value >= metric.threshold
    return subject.score(metric.name, SCORE, "scored", value=value, passed=passed, feedback=feedback)
