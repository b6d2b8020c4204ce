"""Scores that a judge gives: what it is asked about each subject, and what its replies mean."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from core.plan import Shard
from core.result import Call, CallKey, CallOutcome, Outcome, Score
from core.spec import Judge, Preference
from tasks.calls import Ask, prepare
from tasks.engine import Engine
from tasks.reply import answer_text
from tasks.subject import Subject
from tasks.templates import compile_body, context
from tasks.verdict import Verdict, combine_passes, read_verdict, score_names

SHOWN_CHARACTERS = 200

_OUTCOMES: dict[CallOutcome, Outcome] = {
    "answered": "judge_unparsable",
    "refused": "judge_error",
    "error": "judge_error",
    "transient": "judge_error",
    "not_attempted": "not_attempted",
    "cancelled": "cancelled",
    "missing_field": "missing_field",
}


def judge_calls(engine: Engine, shard: Shard, metric: Judge, subjects: Iterable[Subject]) -> Iterator[Ask | Call]:
    """Yield what to ask the judge about each subject, or why it cannot be asked."""
    route = engine.route(metric.endpoint, metric.prompt)
    template = compile_body(metric.prompt.body, where=f"task {shard.task!r}, judge {metric.name!r}")
    for subject in subjects:
        if subject.lost:
            continue
        for key in _keys(metric, subject):
            values = subject.values(swapped=key.ordinal == 1, with_response=template.reads_response)
            yield prepare(key, route, template, context(subject.row, values), metric.generation)


def verdicts(metric: Judge, subjects: Iterable[Subject], calls: Mapping[CallKey, Call]) -> Iterator[Score]:
    """Yield the judge's scores of each subject; a judge that fails gives no value, and says why."""
    for subject in subjects:
        if lost := subject.lost:
            for name in score_names(metric.scale):
                yield subject.score(metric.name, name, lost.outcome, error=lost.error)
        else:
            yield from _graded(metric, subject, [calls[key] for key in _keys(metric, subject)])


def _keys(metric: Judge, subject: Subject) -> list[CallKey]:
    passes = 2 if isinstance(metric.scale, Preference) and metric.scale.swap else 1
    return [
        CallKey(subject.task, subject.sample, subject.target, subject.trial, "judge", metric.name, ordinal)
        for ordinal in range(passes)
    ]


def _graded(metric: Judge, subject: Subject, calls: Sequence[Call]) -> Iterator[Score]:
    readings = [_reading(metric, call) for call in calls]
    worst = next((call for call in calls if call.outcome != "answered"), calls[0])
    for name in score_names(metric.scale):
        found = [reading.get(name) for reading in readings]
        verdict = found[0] if len(found) == 1 else combine_passes(*found)
        if verdict is None:
            error = worst.error or f"the judge's reply has no {name!r}: {_shown(metric, worst)}"
            yield subject.score(metric.name, name, _OUTCOMES[worst.outcome], error=error)
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


def _shown(metric: Judge, call: Call) -> str:
    """Return the beginning of a judge's reply."""
    return repr(answer_text(call, metric.reasoning)[:SHOWN_CHARACTERS])


def _reading(metric: Judge, call: Call) -> Mapping[str, Verdict | None]:
    if call.outcome != "answered":
        return {}
    return read_verdict(metric.scale, answer_text(call, metric.reasoning))
