"""The third stage: every metric's score on every output of a shard."""

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from core.metric import Code, Computed, Judge, MetricSpec
from core.plan import Shard
from core.result import Call, CallKey, Score
from tasks.calls import fulfil
from tasks.engine import Engine, Stopped
from tasks.judging.grade import judge_calls, verdicts
from tasks.metrics.code import code_scores
from tasks.metrics.computed import computed_scores
from tasks.metrics.subject import Subject, subjects
from tasks.sandbox import sandbox
from tasks.shard_end import ShardEnd


def judge_shard(engine: Engine, shard: Shard, *, final: bool) -> ShardEnd:
    """Publish the scores of a shard, and return what it came to; a shard that has them is left alone.

    Unless `final`, raises ShardIncomplete if calls failed for now. Raises Stopped if the job stops,
    as it does if a shard could not be generated.
    """
    end = ShardEnd(len(shard))
    if not engine.folder.is_finished("judge", shard):
        outputs = engine.folder.read_outputs(shard)
        if outputs is None:
            raise Stopped
        rows = engine.folder.read_samples(shard)
        reference = engine.manifest.spec.reference
        scored = [
            (metric, list(subjects(metric, outputs, rows, shard.start, reference=reference)))
            for metric in engine.task(shard).metrics
        ]
        wanted = (
            call
            for metric, about in scored
            if isinstance(metric, Judge)
            for call in judge_calls(engine, shard, metric, about)
        )
        calls = engine.folder.published_calls("judge", shard)
        if calls is None:
            calls = list(fulfil(engine, "judge", shard, wanted, final=final).values())
        by_key = {call.key: call for call in calls}
        scores = [score for metric, about in scored for score in _scores(engine, metric, about, by_key)]
        engine.folder.finish_judge(shard, scores, calls)
        end = ShardEnd.of(len(shard), calls, scores)
    engine.passed("judge", shard, len(shard))
    return end


def _scores(
    engine: Engine, metric: MetricSpec, about: Sequence[Subject], calls: Mapping[CallKey, Call]
) -> Iterator[Score]:
    """Yield a metric's scores; a subject that could not be had passes on its outcome."""
    match metric:
        case Computed():
            yield from computed_scores(metric, about, engine)
        case Judge():
            yield from verdicts(metric, about, calls)
        case Code():
            yield from code_scores(sandbox(), metric, about, engine)
        case _:
            assert_never(metric)
