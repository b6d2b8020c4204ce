"""What two results have in common, tasks, samples and scores, and what differs between them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from core.comparison import ScoredPairs
from core.components import Component, Part, components_of
from core.errors import InvalidInput
from core.metric import MetricSpec
from core.scale import scale_of
from core.spec import TaskSpec
from core.stats.change import Change, score_change
from core.stats.units import mean_of
from core.stats.words import Doubt, Remark
from tasks.comparisons.matching import Matching, matched
from tasks.comparisons.sides import Side
from tasks.units import Standing

UNMATCHED: Final = 0.05
"""If a larger share of a side's samples has no counterpart, it is said."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A part of what the results were made by that is not the same on both sides; None where a side lacks it."""

    part: Part
    task: str
    metric: str
    baseline: str | None
    candidate: str | None


@dataclass(frozen=True, slots=True)
class PairedTask:
    """A task that both sides have, by the baseline's name for it, and which of its samples are the same."""

    baseline: TaskSpec
    candidate: TaskSpec
    matching: Matching

    @property
    def name(self) -> str:
        """What the task is called."""
        return self.baseline.name


@dataclass(frozen=True, slots=True)
class Paired:
    """The tasks and scores of two results that belong together, and what differs between the sides."""

    tasks: list[PairedTask]
    scores: list[ScoredPairs]
    changed: list[Changed]


def pair_results(baseline: Side, candidate: Side, match: str | None = None) -> Paired:
    """Pair two results, their samples by the column `match` if one is named.

    Raises InvalidInput if they have no task or score in common, or the column tells no samples apart.
    """
    pairs = _tasks(baseline, candidate)
    changed = list(_changed(baseline, candidate, {second.name: first.name for first, second in pairs}))
    tasks = [PairedTask(*pair, matched(baseline, candidate, pair, match)) for pair in pairs]
    scores = [score for task in tasks for score in _scores(baseline, candidate, task, changed)]
    if not scores:
        raise InvalidInput("the two sides have no score in common: metrics are matched by their names")
    return Paired(tasks, scores, changed)


def _tasks(baseline: Side, candidate: Side) -> list[tuple[TaskSpec, TaskSpec]]:
    """Return the tasks that belong together: those of one name, or the only ones."""
    first, second = baseline.manifest.spec.tasks, candidate.manifest.spec.tasks
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    by_name = {task.name: task for task in second}
    common = [(task, by_name[task.name]) for task in first if task.name in by_name]
    if not common:
        names = (", ".join(task.name for task in tasks) for tasks in (first, second))
        raise InvalidInput("the two sides have no task in common: {}; and {}".format(*names))
    return common


def _scores(baseline: Side, candidate: Side, task: PairedTask, changed: Sequence[Changed]) -> Iterator[ScoredPairs]:
    """Yield the scores of a task that both sides have, on the samples that both have."""
    tasks, matching = (task.baseline, task.candidate), task.matching
    first, second = baseline.values(tasks[0]), candidate.values(tasks[1])
    standing = Standing(tasks[0])
    if standing.reads_rows:
        standing.take(0, baseline.rows(tasks[0]))
    numbers = [a for a, _ in matching.pairs]
    remarks = tuple(_remarks(baseline, candidate, matching))
    metrics = {metric.name: metric for metric in tasks[0].metrics}, {metric.name: metric for metric in tasks[1].metrics}
    for metric, name in first:
        if (metric, name) not in second:
            continue
        own, others = (metrics[side][metric] for side in (0, 1))
        yield ScoredPairs(
            tasks[0].name,
            metric,
            name,
            [first[metric, name].get(a, []) for a, _ in matching.pairs],
            [second[metric, name].get(b, []) for _, b in matching.pairs],
            scale=scale_of(own, name) if scale_of(own, name) == scale_of(others, name) else None,
            lower_is_better=own.lower_is_better,
            clusters=None if standing.clusters is None else [standing.clusters[sample] for sample in numbers],
            weights=standing.weigh(numbers),
            doubts=tuple(_doubts(own, tasks[0].name, changed)),
            remarks=remarks,
            change=_change(first[metric, name], second[metric, name], matching) if standing.weights is None else None,
        )


def _change(baseline: Mapping[int, Sequence[float]], candidate: Mapping[int, Sequence[float]], by: Matching) -> Change:
    """Part the change of the mean over all that each side has scored, by which samples both have."""
    numbers = {b: a for a, b in by.pairs}
    return score_change(
        {sample: mean_of(trials) for sample, trials in baseline.items() if trials},
        {numbers.get(sample, ("", sample)): mean_of(trials) for sample, trials in candidate.items() if trials},
    )


def _remarks(baseline: Side, candidate: Side, matching: Matching) -> Iterator[Remark]:
    alone = max(matching.only_baseline, matching.only_candidate)
    if alone > UNMATCHED * (len(matching.pairs) + alone):
        yield "unmatched_samples"
    if matching.items_changed:
        yield "items_changed"
    if not (baseline.is_whole and candidate.is_whole):
        yield "unfinished"


def _doubts(metric: MetricSpec, task: str, changed: Sequence[Changed]) -> Iterator[Doubt]:
    parts = {each.part for each in changed if (each.task, each.metric) == (task, metric.name)}
    if any(part.startswith("judge.") for part in parts):
        yield "judge_changed"
    if "metric" in parts:
        yield "metric_changed"


def _changed(baseline: Side, candidate: Side, names: Mapping[str, str]) -> Iterator[Changed]:
    """Yield what differs in the tasks that are compared; `names` are the baseline's of the candidate's tasks."""
    first = _by_place(components_of(baseline.manifest, baseline.target), {name: name for name in names.values()})
    second = _by_place(components_of(candidate.manifest, candidate.target), names)
    for place in {**first, **second}:
        if first.get(place) != second.get(place):
            yield Changed(*place, first.get(place), second.get(place))


def _by_place(components: Iterator[Component], names: Mapping[str, str]) -> dict[tuple[Part, str, str], str]:
    return {
        (each.part, names.get(each.task, ""), each.metric): each.value
        for each in components
        if not each.task or each.task in names
    }
