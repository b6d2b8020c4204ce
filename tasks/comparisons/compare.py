"""Two results compared: their common samples, their common scores, and what they were made by."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Final, Literal

from core.comparison import ScoreComparison, ScoredPairs, compare_scores
from core.components import Component, Part, components_of
from core.errors import InvalidInput
from core.metric import MetricSpec
from core.scale import scale_of
from core.spec import TaskSpec
from core.stats.change import Change, score_change
from core.stats.words import Doubt, Remark
from tasks.comparisons.matching import Matching, matched
from tasks.comparisons.sides import Side
from tasks.units import Standing

UNMATCHED: Final = 0.05
"""If a larger share of a side's samples has no counterpart, it is said."""

Attribution = Part | Literal["joint", "noise"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a comparison: a column to match by, a margin in units of the scores, which metrics decide."""

    match: str | None = None
    margin: float | None = None
    primary: tuple[str, ...] = ()
    alpha: float = 0.05


@dataclass(frozen=True, slots=True)
class Changed:
    """A part of what the results were made by that is not the same on both sides; None where a side lacks it."""

    part: Part
    task: str
    metric: str
    baseline: str | None
    candidate: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the samples of each task were matched, what came of each score, and what differs between the sides."""

    tasks: list[tuple[str, Matching]]
    scores: list[ScoreComparison]
    changed: list[Changed]

    @property
    def attribution(self) -> Attribution:
        """What the difference comes from: the one part that differs, several together, or chance."""
        parts = {each.part for each in self.changed if each.part not in ("code", "dataset")}
        if not parts:
            return "noise"
        return parts.pop() if len(parts) == 1 else "joint"


def compare(baseline: Side, candidate: Side, asked: Asked) -> Comparison:
    """Compare two results. Raises InvalidInput if they have no task or score in common, or none of those asked for."""
    pairs = _tasks(baseline, candidate)
    changed = list(_changed(baseline, candidate, {second.name: first.name for first, second in pairs}))
    tasks: list[tuple[str, Matching]] = []
    scores: list[ScoredPairs] = []
    for pair in pairs:
        matching = matched(baseline, candidate, pair, asked.match)
        tasks.append((pair[0].name, matching))
        scores += _scores(baseline, candidate, pair, matching, changed)
    known = sorted({score.metric for score in scores})
    if not known:
        raise InvalidInput("the two sides have no score in common: metrics are matched by their names")
    for name in asked.primary:
        if name not in known:
            raise InvalidInput(f"primary: no metric {name!r} on both sides; metrics: {', '.join(known)}")
    compared = compare_scores(scores, margin=asked.margin, primary=asked.primary, alpha=asked.alpha)
    return Comparison(tasks, compared, changed)


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


def _scores(
    baseline: Side, candidate: Side, tasks: tuple[TaskSpec, TaskSpec], matching: Matching, changed: Sequence[Changed]
) -> Iterator[ScoredPairs]:
    """Yield the scores of a task that both sides have, on the samples that both have."""
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
        {sample: fsum(trials) / len(trials) for sample, trials in baseline.items() if trials},
        {
            numbers.get(sample, ("", sample)): fsum(trials) / len(trials)
            for sample, trials in candidate.items()
            if trials
        },
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
