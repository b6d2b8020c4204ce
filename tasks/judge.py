"""The third stage: every metric's score on every output of a shard."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar, assert_never

from core.metric import Code, Computed, Judge, MetricSpec
from core.plan import Shard
from core.result import Call, CallKey, Outcome, Score
from tasks.calls import Ask
from tasks.engine.calls import Stopped
from tasks.engine.engine import Engine
from tasks.fulfil import fulfil
from tasks.judging.grade import judge_calls, verdicts
from tasks.metrics.code import code_scores
from tasks.metrics.computed import computed_scores
from tasks.metrics.subject import Subject, subjects
from tasks.paid import Paid, Published
from tasks.responses import responses_of
from tasks.sandbox.shared import sandbox
from tasks.shard_end import ShardEnd


def judge_shard(engine: Engine, shard: Shard, *, final: bool) -> ShardEnd:
    """Publish the scores of a shard, and return what it came to; a shard that has them is left alone.

    Unless `final`, raises ShardIncomplete if calls failed for now. Raises Stopped if the job stops,
    as it does if a shard could not be generated.
    """
    end = ShardEnd(len(shard))
    if not engine.folder.is_finished("judge", shard):
        if not engine.folder.is_finished("generate", shard):
            raise Stopped
        outcomes = Counter[Outcome]()
        with fulfil(engine, "judge", shard, partial(_wanted, engine), final=final) as paid:
            scores = _counted(_scores(engine, shard, paid), outcomes)
            engine.folder.finish_judge(shard, scores, paid.unpublished(shard))
            end = ShardEnd(len(shard), paid.outcomes, outcomes)
    engine.counts.passed("judge", shard, len(shard))
    return end


def _wanted(engine: Engine, part: Shard) -> Iterator[Ask | Call]:
    """Yield what to ask each judge about each output, or why it cannot be asked."""
    judges = [metric for metric in engine.task(part).metrics if isinstance(metric, Judge)]
    for metric, about in _subjects(engine, part, judges):
        yield from judge_calls(engine, part, metric, about)


def _scores(engine: Engine, shard: Shard, paid: Paid | Published) -> Iterator[Score]:
    """Yield the scores of a shard, part by part."""
    metrics = engine.task(shard).metrics
    for part in paid.parts(engine.folder.parts(shard)):
        calls = {call.key: call for call in paid.calls(part)}
        for metric, about in _subjects(engine, part, metrics):
            yield from _scores_of(engine, metric, about, calls)


M = TypeVar("M", bound=MetricSpec)


def _subjects(engine: Engine, part: Shard, metrics: Sequence[M]) -> Iterator[tuple[M, list[Subject]]]:
    """Yield what each metric scores; nothing is read where there is none."""
    if not metrics:
        return
    outputs, rows = engine.folder.read_outputs(part) or [], engine.folder.read_samples(part)
    reference, responses = engine.manifest.spec.reference, responses_of(engine.folder, part)
    for metric in metrics:
        yield metric, list(subjects(metric, outputs, rows, part.start, reference=reference, responses=responses))


def _counted(scores: Iterable[Score], outcomes: Counter[Outcome]) -> Iterator[Score]:
    for score in scores:
        outcomes[score.outcome] += 1
        yield score


def _scores_of(
    engine: Engine, metric: MetricSpec, about: Sequence[Subject], calls: Mapping[CallKey, Call]
) -> Iterator[Score]:
    """Yield a metric's scores; a subject that could not be had passes on its outcome."""
    match metric:
        case Computed():
            yield from computed_scores(metric, about, engine.calls)
        case Judge():
            yield from verdicts(metric, about, calls)
        case Code():
            yield from code_scores(sandbox(), metric, about, engine.calls)
        case _:
            assert_never(metric)
