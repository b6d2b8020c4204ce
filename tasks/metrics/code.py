"""Scores that a user's function gives, in a sandbox."""

from collections.abc import Iterator, Sequence

from core.metric import Code
from core.result import Score
from core.scale import scale_of
from core.score_names import SCORE
from tasks.endpoint.breaker import Fuse, Watch
from tasks.metrics.subject import Subject
from tasks.sandbox.contract import COSTLY, Evaluated, Sandbox
from tasks.templates.pool import Given, render_each
from tasks.templates.rendering import Rendered, Unrendered
from tasks.templates.template import compile_body


def code_scores(sandbox: Sandbox, metric: Code, subjects: Sequence[Subject], watch: Watch) -> Iterator[Score]:
    """Yield the evaluator's score of each subject; one that it gives none says what stopped it.

    What the evaluator printed is the feedback. It is run no more on the outputs of a task's target once the fuse
    of task, target and metric has blown.
    """
    item = compile_body(metric.item, where=f"metric {metric.name!r} (item)")
    given = (
        Given(
            subject.row,
            subject.values(with_response=item.reads_response),
            watch.fuse(subject.task, subject.target, f"{metric.name} (item)"),
        )
        for subject in subjects
        if not subject.lost
    )
    items = render_each(item, given, heed=watch.heed)
    for subject in subjects:
        watch.heed()
        if lost := subject.lost:
            yield subject.score(metric.name, SCORE, lost.outcome, error=lost.error)
        else:
            fuse = watch.fuse(subject.task, subject.target, metric.name)
            yield _evaluated(sandbox, metric, next(items), subject, fuse)


def _evaluated(sandbox: Sandbox, metric: Code, item: Rendered, subject: Subject, fuse: Fuse) -> Score:
    if fuse.error:
        return subject.score(metric.name, SCORE, "not_attempted", error=f"metric {metric.name!r}: {fuse.error}")
    if isinstance(item, Unrendered):
        return subject.score(metric.name, SCORE, item.score_outcome, error=item.error)
    result = sandbox.run(metric.source, item)
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
