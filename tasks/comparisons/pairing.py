"""What two results have in common, tasks, samples and scores, and what differs between them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from core.comparison import ScoredPairs
from core.components import Changed, Component, Part
from core.errors import Conflict, InvalidInput
from core.spec import TaskSpec
from core.stats.words import Remark
from tasks.comparisons.matching import Matching, PairedTask, matched
from tasks.comparisons.scores import paired_scores
from tasks.comparisons.served import served_as
from tasks.comparisons.sides import Side

UNMATCHED: Final = 0.05
"""If a larger share of a side's samples has no counterpart, it is said."""


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
    _check_common(baseline, candidate, tasks)
    scores = [
        score
        for task in tasks
        for score in paired_scores(
            baseline, candidate, task, changed, list(_remarks(baseline, candidate, task.matching, changed))
        )
    ]
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


def _check_common(baseline: Side, candidate: Side, tasks: Sequence[PairedTask]) -> None:
    """Raise Conflict if a side has finished nothing yet, InvalidInput if the sides have no sample in common."""
    if any(task.matching.pairs for task in tasks):
        return
    for side, own in ((baseline, [task.baseline for task in tasks]), (candidate, [task.candidate for task in tasks])):
        if not any(map(side.samples, own)):
            raise Conflict(f"job {side.folder.job_id} has finished none of its samples yet; compare it once it has")
    by = tasks[0].matching.by
    how = "no value of that column is on both sides" if by == "column" else "no row of the one is a row of the other"
    raise InvalidInput(
        f"jobs {baseline.folder.job_id} and {candidate.folder.job_id} have no sample in common: {how}; "
        "name a column that tells which samples are the same, as match=item.id"
    )


def _remarks(baseline: Side, candidate: Side, matching: Matching, changed: Sequence[Changed]) -> Iterator[Remark]:
    alone = max(matching.only_baseline, matching.only_candidate)
    if alone > UNMATCHED * (len(matching.pairs) + alone):
        yield "unmatched_samples"
    if matching.items_changed:
        yield "items_changed"
    if not (baseline.is_whole and candidate.is_whole):
        yield "unfinished"
    if any(each.part == "code" for each in changed):
        yield "code_changed"


def _changed(baseline: Side, candidate: Side, names: Mapping[str, str]) -> Iterator[Changed]:
    """Yield what differs in the tasks that are compared; `names` are the baseline's of the candidate's tasks."""
    served = served_as(baseline), served_as(candidate)
    is_known = baseline.target in served[0] and candidate.target in served[1]
    own, others = served if is_known else ({}, {})
    first = _by_place(baseline.components(own), {name: name for name in names.values()})
    second = _by_place(candidate.components(others), names)
    for place in {**first, **second}:
        if first.get(place) != second.get(place):
            yield Changed(*place, first.get(place), second.get(place))


def _by_place(components: Iterator[Component], names: Mapping[str, str]) -> dict[tuple[Part, str, str], str]:
    return {
        (each.part, names.get(each.task, ""), each.metric): each.value
        for each in components
        if not each.task or each.task in names
    }
