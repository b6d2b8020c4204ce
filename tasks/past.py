"""What a job has of one shard, and which of its calls a retry makes again; no I/O."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.job import Stage
from core.metric import Judge, MetricSpec
from core.plan import Shard
from core.result import Call, CallKey, Outcome, Output, Score
from core.retry import Retry
from core.spec import EvaluationSpec
from tasks.endpoint import reply
from tasks.judging import grade
from tasks.judging.prose import Unread
from tasks.metrics.subject import Subject, subjects
from tasks.responses import responses_in


@dataclass(frozen=True, slots=True)
class Past:
    """What became of a shard: its calls, and as far as it came its outputs and scores."""

    spec: EvaluationSpec
    shard: Shard
    rows: Sequence[dict[str, Any]]
    outputs: Sequence[Output] | None
    scores: Sequence[Score] | None
    generated: Sequence[Call]
    judged: Sequence[Call]

    def calls(self, stage: Stage) -> Sequence[Call]:
        """Return the calls of a stage."""
        return self.generated if stage == "generate" else self.judged

    def graded(self) -> Iterator[tuple[MetricSpec, Subject]]:
        """Yield what each metric was about."""
        task = next(task for task in self.spec.tasks if task.name == self.shard.task)
        outputs, responses, reference = self.outputs or (), responses_in(self.generated), self.spec.reference
        for metric in task.metrics:
            about = subjects(metric, outputs, self.rows, self.shard.start, responses=responses, reference=reference)
            yield from ((metric, subject) for subject in about)


Ends = Mapping[tuple[str, int, int, str], set[Outcome]]
"""Of the outcomes that are asked again those that there were, by target, sample, trial and metric."""


def asked_again(past: Past, retry: Retry) -> set[CallKey]:
    """Return the keys of the calls that a retry makes again.

    A target's, where it gave no output or one that a metric could not read; a judge's, where it gave no verdict, and
    where it was about an output that is asked for again.
    """
    ends, graded = _ends(past.scores or (), retry), list(past.graded())
    again = set(_targets(past, retry, graded, ends)) if retry.targets else set()
    made = {call.key: call for call in past.judged}
    for metric, subject in graded:
        if isinstance(metric, Judge):
            calls = [made[key] for key in grade.call_keys(metric, subject) if key in made]
            of_another = any(_key_of(output) in again for output in subject.all_outputs)
            if of_another or metric.name in retry.judges:
                again.update(call.key for call in calls)
            else:
                again.update(_without_verdict(past, retry, metric, calls, ends[_place(metric, subject)]))
    return again & {call.key for call in (*past.generated, *past.judged)}


def _ends(scores: Iterable[Score], retry: Retry) -> Ends:
    ends: defaultdict[tuple[str, int, int, str], set[Outcome]] = defaultdict(set)
    for score in scores:
        if score.outcome in retry.only:
            ends[score.target, score.sample, score.trial, score.metric].add(score.outcome)
    return ends


def _targets(past: Past, retry: Retry, graded: Iterable[tuple[MetricSpec, Subject]], ends: Ends) -> Iterator[CallKey]:
    """Yield the keys of the targets' calls that are made again."""
    yield from (call.key for call in past.generated if reply.OUTCOMES[call.outcome] in retry.only)
    for metric, subject in graded:
        if "output_unparsable" in ends[_place(metric, subject)]:
            yield from map(_key_of, subject.outputs)


def _without_verdict(
    past: Past, retry: Retry, metric: Judge, calls: Sequence[Call], ends: set[Outcome]
) -> Iterator[CallKey]:
    """Yield the keys of a judge's calls about a subject that gave none: of two passes one may have.

    A shard that is not judged yet has no scores; there, what a call would come to decides.
    """
    unread = [
        call for call in calls if any(isinstance(read, Unread) for read in grade.reading_of(metric, call).values())
    ]
    if past.scores is None:
        yield from (call.key for call in unread if grade.OUTCOMES[call.outcome] in retry.only)
    elif ends:
        yield from (call.key for call in unread or calls)


def _place(metric: MetricSpec, subject: Subject) -> tuple[str, int, int, str]:
    return subject.target, subject.sample, subject.trial, metric.name


def _key_of(output: Output) -> CallKey:
    return CallKey(output.task, output.sample, output.target, output.trial, "target", "", 0)
