"""Scores that a judge gives: what it is asked about each subject, and what its replies mean."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from core.metric import Judge, Preference
from core.plan import Shard
from core.result import Call, CallKey, CallOutcome, Outcome, Score
from core.score_names import names_of_scale
from tasks.calls import Ask, prepare
from tasks.endpoint.reply import answer_text
from tasks.engine.engine import Engine
from tasks.judging.prose import Unread
from tasks.judging.verdict import Verdict, combine_passes, read_verdict
from tasks.metrics.subject import Subject
from tasks.templates.pool import Given, render_each
from tasks.templates.template import compile_prompt

SHOWN_CHARACTERS = 200

OUTCOMES: Final[Mapping[CallOutcome, Outcome]] = {
    "answered": "judge_unparsable",
    "refused": "judge_error",
    "error": "judge_error",
    "transient": "judge_error",
    "not_attempted": "not_attempted",
    "cancelled": "cancelled",
    "missing_field": "missing_field",
}
"""What a judge's scores come to, whose call ended so without a verdict."""


def judge_calls(engine: Engine, shard: Shard, metric: Judge, subjects: Iterable[Subject]) -> Iterator[Ask | Call]:
    """Yield what to ask the judge about each subject, or why it cannot be asked."""
    route = engine.routes.to(metric.endpoint, metric.prompt)
    template = compile_prompt(metric.prompt, where=f"task {shard.task!r}, judge {metric.name!r}")
    asked = [(key, subject) for subject in subjects if not subject.lost for key in call_keys(metric, subject)]
    given = (
        Given(
            subject.row,
            subject.values(swapped=key.ordinal == 1, with_response=template.reads_response),
            engine.calls.fuse(subject.task, subject.target, metric.name),
        )
        for key, subject in asked
    )
    for (key, _), body in zip(asked, render_each(template, given, heed=engine.calls.heed), strict=True):
        yield prepare(key, route, body, defaults=metric.generation, reply_schema=metric.reply_schema)


def verdicts(metric: Judge, subjects: Iterable[Subject], calls: Mapping[CallKey, Call]) -> Iterator[Score]:
    """Yield the judge's scores of each subject; a judge that fails gives no value, and says why."""
    for subject in subjects:
        if lost := subject.lost:
            for name in names_of_scale(metric.scale):
                yield subject.score(metric.name, name, lost.outcome, error=lost.error)
        else:
            yield from _graded(metric, subject, [calls[key] for key in call_keys(metric, subject)])


def call_keys(metric: Judge, subject: Subject) -> list[CallKey]:
    """Return the keys of a judge's calls about a subject, one for each pass."""
    passes = 2 if isinstance(metric.scale, Preference) and metric.scale.swap else 1
    return [
        CallKey(subject.task, subject.sample, subject.target, subject.trial, "judge", metric.name, ordinal)
        for ordinal in range(passes)
    ]


def _graded(metric: Judge, subject: Subject, calls: Sequence[Call]) -> Iterator[Score]:
    readings = [reading_of(metric, call) for call in calls]
    for name in names_of_scale(metric.scale):
        found = [reading[name] for reading in readings]
        read = [None if isinstance(each, Unread) else each for each in found]
        verdict = read[0] if len(read) == 1 else combine_passes(*read)
        if verdict is None:
            outcome, error = _missing(metric, found, calls)
            yield subject.score(metric.name, name, outcome, error=error)
        else:
            yield subject.score(
                metric.name,
                name,
                "scored",
                value=verdict.value,
                label=verdict.label,
                passed=verdict.passed,
                feedback=verdict.feedback,
            )


def _missing(metric: Judge, found: Sequence[Verdict | Unread], calls: Sequence[Call]) -> tuple[Outcome, str]:
    """Tell why there is no score: a judge that failed or said nothing, or one that said something else."""
    for call in calls:
        if call.outcome != "answered":
            return OUTCOMES[call.outcome], call.error or call.outcome
    said = [answer_text(call, metric.reasoning) for call in calls]
    if not all(text.strip() for text in said):
        return "judge_error", "the judge said nothing"
    reason = next(each.reason for each in found if isinstance(each, Unread))
    return "judge_unparsable", f"the judge's reply {reason}: {said[0][:SHOWN_CHARACTERS]!r}"


def reading_of(metric: Judge, call: Call) -> Mapping[str, Verdict | Unread]:
    """Return what a judge's reply says of each score, or why it says nothing."""
    if call.outcome != "answered":
        return dict.fromkeys(names_of_scale(metric.scale), Unread("is not there"))
    return read_verdict(metric.scale, answer_text(call, metric.reasoning))
