"""The scores that two results have in common: what each of them was worth on the samples of both sides."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.comparison import ScoredPairs
from core.components import Changed
from core.metric import Bleu, Computed, MetricSpec
from core.scale import scale_of
from core.stats.change import Change, score_change
from core.stats.units import mean_of
from core.stats.words import Doubt, Remark
from tasks.comparisons.corpora import Details, corpus_pairs
from tasks.comparisons.matching import Matching, PairedTask
from tasks.comparisons.rescoring import Rescored, rescored
from tasks.comparisons.sides import Side, Values
from tasks.summaries.figures import is_preference
from tasks.summaries.units import Standing

Trials = Mapping[int, Sequence[float]]
"""What each sample's trials are worth, by its number."""


@dataclass(frozen=True, slots=True)
class Found:
    """A score on both sides.

    If the baseline was scored again, `before` has what its scores were, and `details` what they now have for a summary.
    """

    metric: MetricSpec
    other: MetricSpec
    name: str
    baseline: Trials
    candidate: Trials
    before: Trials | None = None
    details: Details | None = None
    choices: bool = False


def paired_scores(
    baseline: Side, candidate: Side, task: PairedTask, changed: Sequence[Changed], remarks: Sequence[Remark]
) -> Iterator[ScoredPairs]:
    """Yield the scores of a task that both sides have, on the samples that both have."""
    matching, standing = task.matching, Standing(task.baseline)
    if standing.reads_rows:
        standing.take(0, baseline.rows(task.baseline))
    numbers = [a for a, _ in matching.pairs]
    clusters = None if standing.clusters is None else [standing.clusters[sample] for sample in numbers]
    for each in _found(baseline, candidate, task, changed):
        scales = {scale_of(metric, each.name) for metric in (each.metric, each.other)}
        alone = ScoredPairs(
            task.name,
            each.metric.name,
            each.name,
            [each.baseline.get(a, ()) for a, _ in matching.pairs],
            [each.candidate.get(b, ()) for _, b in matching.pairs],
            scale=scales.pop() if len(scales) == 1 else None,
            lower_is_better=each.other.lower_is_better,
            clusters=clusters,
            weights=standing.weigh(numbers),
            doubts=tuple(_doubts(each, task.name, changed)),
            remarks=(*remarks, *_rescored(each)),
            change=_change(each, matching) if standing.weights is None else None,
            choices=each.choices,
        )
        corpus = _corpus(baseline, candidate, task, each, alone)
        if corpus is None or corpus.name != alone.name:
            yield alone
        if corpus is not None:
            yield corpus


def _corpus(baseline: Side, candidate: Side, task: PairedTask, found: Found, alone: ScoredPairs) -> ScoredPairs | None:
    """Return the score that the samples have together, if the metric has one on both sides."""
    metric, other = found.metric, found.other
    if not (isinstance(metric, Bleu) and isinstance(other, Bleu) and metric.score == other.score):
        return None
    own, others = baseline.details(task.baseline, metric.name), candidate.details(task.candidate, metric.name)
    if found.details is None:
        return corpus_pairs(alone, metric, task.matching.pairs, (own, others))
    return corpus_pairs(alone, metric, task.matching.pairs, (found.details, others), before=own)


def _found(baseline: Side, candidate: Side, task: PairedTask, changed: Sequence[Changed]) -> Iterator[Found]:
    first, second = baseline.values(task.baseline), candidate.values(task.candidate)
    others = {metric.name: metric for metric in task.candidate.metrics}
    are_rivals = baseline.folder.job_id == candidate.folder.job_id and baseline.target != candidate.target
    for metric in task.baseline.metrics:
        other = others.get(metric.name)
        if is_preference(metric) and are_rivals:
            yield from _choices(metric, first, second)
        elif other is not None and (again := _again(baseline, task, metric, other, changed)):
            for name, values in again.values.items():
                if found := second.get((metric.name, name)):
                    before = first.get((metric.name, name), {})
                    yield Found(other, other, name, values, found, before=before, details=again.details)
        elif other is not None:
            yield from _common(metric, other, first, second)


def _common(metric: MetricSpec, other: MetricSpec, first: Values, second: Values) -> Iterator[Found]:
    for of, name in first:
        if of == metric.name and (of, name) in second:
            yield Found(metric, other, name, first[of, name], second[of, name])


def _choices(metric: MetricSpec, first: Values, second: Values) -> Iterator[Found]:
    """Yield a preference between the two sides themselves: the score of the one is what the other lacks of 1."""
    for (of, name), trials in (*first.items(), *second.items()):
        if of == metric.name:
            opposite = {sample: tuple(1.0 - value for value in each) for sample, each in trials.items()}
            own, others = (trials, opposite) if (of, name) in first else (opposite, trials)
            yield Found(metric, metric, name, own, others, choices=True)


def _again(
    baseline: Side, task: PairedTask, metric: MetricSpec, other: MetricSpec, changed: Sequence[Changed]
) -> Rescored | None:
    """Return the baseline's scores by the candidate's definition of a metric, if that was changed and needs no call."""
    is_changed = any((each.part, each.task, each.metric) == ("metric", task.name, metric.name) for each in changed)
    if is_changed and isinstance(metric, Computed) and isinstance(other, Computed):
        return rescored(baseline, task.baseline, other)
    return None


def _change(found: Found, by: Matching) -> Change:
    """Part the change of the mean over all that each side has scored, by which samples both have."""
    numbers = {b: a for a, b in by.pairs}
    candidate = {numbers.get(sample, ("", sample)): value for sample, value in _means(found.candidate).items()}
    return score_change(
        _means(found.baseline),
        candidate,
        None if found.before is None else _means(found.before),
    )


def _means(values: Trials) -> dict[int, float]:
    return {sample: mean_of(trials) for sample, trials in values.items() if trials}


def _rescored(found: Found) -> Iterator[Remark]:
    if found.before is not None:
        yield "rescored"


def _doubts(found: Found, task: str, changed: Sequence[Changed]) -> Iterator[Doubt]:
    parts = {each.part for each in changed if (each.task, each.metric) == (task, found.metric.name)}
    if any(part.startswith("judge.") for part in parts):
        yield "judge_changed"
    if "metric" in parts and found.before is None:
        yield "metric_changed"
