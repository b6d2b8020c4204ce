"""The last stage: scores to summaries, recomputed from the rows.

Sums are exact (`math.fsum`), so that the figures do not depend on the order of rows, shards or
restarts.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from math import fsum, sqrt
from typing import Final

import orjson

from core.errors import AssayError, EndpointFailed, EndpointRefused, ResultsMissing
from core.metric import Bleu
from core.result import CallOutcome, Outcome, Score, Summary
from core.spec import EvaluationSpec
from store.results.folder import CallEnd
from tasks.calls import ANSWERS
from tasks.engine import Engine
from tasks.metrics.bleu import BleuCounts, corpus_bleu

SummaryKey = tuple[str, str, str, str]

CORPUS: Final = "corpus"
"""The name of the BLEU of all samples together."""

FAILURES: Final[tuple[CallOutcome, ...]] = ("transient", "error", "not_attempted")
"""How a call ends that had no answer, the most telling first."""

NOT_HAD: Final[frozenset[Outcome]] = frozenset(
    {"target_error", "refused", "missing_field", "judge_error", "not_attempted"}
)
"""The outcomes of a sample that was not generated, or not judged."""


def aggregate(engine: Engine) -> list[Summary]:
    """Publish and return the job's summaries.

    Raises EndpointRefused or EndpointFailed, after they are published, if the models gave no answer at all, and
    EndpointFailed if more samples failed than the specification allows, or it needs a score and there is none.
    """
    params = engine.manifest.spec.params
    failures = Failures(params.max_failed, needs_scores=params.needs_scores)
    aggregator = Aggregator(bleu_metrics(engine.manifest.spec))
    for shard in engine.manifest.shards:
        engine.folder.check_intact(shard)
        scores = engine.folder.read_scores(shard)
        if scores is None:
            raise ResultsMissing(f"shard {shard.index} of job {engine.job.id} has no scores")
        aggregator.add(scores)
        failures.add(scores)
    summaries = aggregator.summaries()
    engine.folder.write_summaries(summaries)
    engine.keep_notes()
    for summary in summaries:
        engine.say(describe(summary))
    for error in silent_models(engine.folder.call_ends(), reference=engine.manifest.spec.reference):
        raise error
    failures.check()
    engine.finished()
    return summaries


def silent_models(ends: Iterable[CallEnd], *, reference: str | None = None) -> Iterator[AssayError]:
    """Yield an error for each model that answered nothing of what it was asked, if none in its part did.

    A part is what the targets of a task do, what its judges do, or what the target named `reference` does. It is
    the user's error if the model refused whatever it was asked; what says 200 and is no answer refuses nothing.
    """
    by_model: defaultdict[tuple[str, str, str], dict[CallOutcome, CallEnd]] = defaultdict(dict)
    for end in ends:
        by_model[end.task, end.target, end.metric][end.outcome] = end
    parts = {model: _part(*model, reference) for model in by_model}
    answering = {parts[model] for model, by_outcome in by_model.items() if not ANSWERS.isdisjoint(by_outcome)}
    for (task, target, metric), by_outcome in by_model.items():
        failed = [by_outcome[outcome] for outcome in FAILURES if outcome in by_outcome]
        if failed and parts[task, target, metric] not in answering:
            model = f"the judge {metric!r}" if metric else f"the target {target!r}"
            is_unread = failed[0].status == HTTPStatus.OK
            kind = EndpointFailed if failed[0].outcome == "transient" or is_unread else EndpointRefused
            yield kind(f"task {task!r}: {model} answered no request: {failed[0].error}")


def _part(task: str, target: str, metric: str, reference: str | None) -> tuple[str, str]:
    return task, "judge" if metric else "reference" if target == reference else "target"


class Failures:
    """Counts the samples that could not be generated or judged, against the share that may be (None: all).

    With `needs_scores` at least one score must be there.
    """

    def __init__(self, allowed: float | None, *, needs_scores: bool = False) -> None:
        """Begin with nothing."""
        self._allowed = allowed
        self._needs_scores = needs_scores
        self._samples = 0
        self._failed = 0
        self._scored = 0
        self._error: str | None = None
        self._complaint: str | None = None

    def add(self, scores: Iterable[Score]) -> None:
        """Take the scores of a shard."""
        samples: set[tuple[str, int]] = set()
        failed: dict[tuple[str, int], str | None] = {}
        for score in scores:
            samples.add((score.task, score.sample))
            self._scored += score.outcome == "scored"
            self._complaint = self._complaint or score.error
            if score.outcome in NOT_HAD:
                failed.setdefault((score.task, score.sample), score.error)
        self._samples += len(samples)
        self._failed += len(failed)
        self._error = self._error or next(iter(failed.values()), None)

    def check(self) -> None:
        """Raise EndpointFailed if too many failed, or nothing was scored that must be."""
        if self._allowed is not None and self._failed > self._allowed * self._samples:
            raise EndpointFailed(
                f"{self._failed} of {self._samples} samples could not be generated or judged, "
                f"more than {self._allowed:.0%}: {self._error}"
            )
        if self._needs_scores and not self._scored:
            raise EndpointFailed(f"none of {self._samples} samples has a score: {self._complaint}")


def describe(summary: Summary) -> str:
    """Say in a line what a score came to."""
    mean = "no mean" if summary.mean is None else f"mean {summary.mean:.4g}"
    where = f"{summary.task} / {summary.metric} / {summary.name}"
    return f"{where}: {mean}, {summary.count} scored, {summary.nan_count} not"


def bleu_metrics(spec: EvaluationSpec) -> dict[tuple[str, str], Bleu]:
    """Return the metrics that have a value of the corpus, by task and name."""
    return {
        (task.name, metric.name): metric for task in spec.tasks for metric in task.metrics if isinstance(metric, Bleu)
    }


class Aggregator:
    """Collects the values and outcomes of scores, shard by shard; `bleu` are metrics by task and name."""

    def __init__(self, bleu: Mapping[tuple[str, str], Bleu] | None = None) -> None:
        """Begin with nothing."""
        self._bleu = bleu or {}
        self._values: defaultdict[SummaryKey, list[float]] = defaultdict(list)
        self._outcomes: defaultdict[SummaryKey, Counter[Outcome]] = defaultdict(Counter)
        self._counts: defaultdict[SummaryKey, list[BleuCounts]] = defaultdict(list)

    def add(self, scores: Iterable[Score]) -> None:
        """Take the scores of a shard."""
        for score in scores:
            key = (score.task, score.target, score.metric, score.name)
            self._outcomes[key][score.outcome] += 1
            if score.value is not None:
                self._values[key].append(score.value)
            if score.detail is not None:
                self._counts[key].append(BleuCounts(**orjson.loads(score.detail)))

    def summaries(self) -> list[Summary]:
        """Return one summary for each (task, target, metric, name), in the order they came."""
        return [summary for key in self._outcomes for summary in self._summaries(key)]

    def _summaries(self, key: SummaryKey) -> Iterator[Summary]:
        task, target, name, _ = key
        bleu = self._bleu.get((task, name))
        if bleu is None or bleu.score is None:
            yield summarise(key, self._values[key], self._outcomes[key])
        if bleu is not None:
            counts = self._counts[key]
            value = corpus_bleu(counts) if counts else None
            if bleu.score is not None and value is not None:
                value *= 0.01
            yield value_alone((task, target, name, bleu.score or CORPUS), value, len(counts), self._outcomes[key])


def value_alone(key: SummaryKey, value: float | None, count: int, outcomes: Counter[Outcome]) -> Summary:
    """Return the summary of a value that belongs to `count` rows together, and has no statistics."""
    missing = outcomes.total() - count
    return Summary(*key, count, missing, None, value, None, None, None, None, None, None, dict(outcomes))


def summarise(key: SummaryKey, values: list[float], outcomes: Counter[Outcome]) -> Summary:
    """Summarise the values that were scored; the rest of `outcomes` counts as not a number.

    Variance and standard deviation are the population's; stderr is stddev / sqrt(count).
    """
    count = len(values)
    missing = outcomes.total() - count
    if not count:
        return Summary(*key, 0, missing, None, None, None, None, None, None, None, None, dict(outcomes))
    total = fsum(values)
    mean = total / count
    variance = fsum((value - mean) ** 2 for value in values) / count
    stddev = sqrt(variance)
    return Summary(
        *key,
        count=count,
        nan_count=missing,
        sum=total,
        mean=mean,
        min=min(values),
        max=max(values),
        sum_squared=fsum(value * value for value in values),
        variance=variance,
        stddev=stddev,
        stderr=stddev / sqrt(count),
        outcomes=dict(outcomes),
    )
