"""Scores that a user's function gives, in a sandbox."""

from collections.abc import Iterable, Iterator

from core.errors import TemplateInvalid
from core.metric import Code
from core.result import Score
from tasks.sandbox.contract import Evaluated, Sandbox
from tasks.subject import Subject
from tasks.templates import BodyTemplate, MissingField, compile_body, context

SCORE = "score"


def code_scores(sandbox: Sandbox, metric: Code, subjects: Iterable[Subject]) -> Iterator[Score]:
    """Yield the evaluator's score of each subject; one that it gives none says what stopped it.

    What the evaluator printed is the feedback.
    """
    item = compile_body(metric.item, where=f"metric {metric.name!r} (item)")
    for subject in subjects:
        yield _evaluated(sandbox, metric, item, subject)


def _evaluated(sandbox: Sandbox, metric: Code, item: BodyTemplate, subject: Subject) -> Score:
    if lost := subject.lost:
        return subject.score(metric.name, SCORE, lost.outcome, error=lost.error)
    values = context(subject.row, subject.values(with_response=item.reads_response))
    try:
        result = sandbox.run(metric.source, item.render(values))
    except MissingField as error:
        return subject.score(metric.name, SCORE, "missing_field", error=str(error))
    except TemplateInvalid as error:
        return subject.score(metric.name, SCORE, "metric_error", error=error.message)
    feedback = result.printed or None
    if isinstance(result, Evaluated):
        passed = result.value >= metric.threshold
        return subject.score(metric.name, SCORE, "scored", value=result.value, passed=passed, feedback=feedback)
    stopped = f"metric {metric.name!r}: {result.error}"
    return subject.score(metric.name, SCORE, "metric_error", error=stopped, feedback=feedback)
