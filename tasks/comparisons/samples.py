"""The samples that changed between two results, the most changed first."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from core.comparison import ScoredPairs
from core.errors import InvalidInput
from store.results.sample_sql import ScoreName, find_score
from tasks.comparisons.matching import PairedTask
from tasks.comparisons.pairing import Paired
from tasks.comparisons.sides import Side

Way = Literal["regressed", "improved"]


class Place(NamedTuple):
    """Where a sample stands in the list: by how much it changed, then by its task and number on the baseline."""

    size: float
    task: str
    sample: int


@dataclass(frozen=True, slots=True)
class Answered:
    """What a side made of a sample: its number there, what its trials were worth on average, and their texts."""

    sample: int
    value: float
    outputs: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class ChangedSample:
    """A sample whose score changed, and what was answered; `difference` is the candidate's less the baseline's."""

    task: str
    difference: float
    baseline: Answered
    candidate: Answered

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        return Place(abs(self.difference), self.task, self.baseline.sample)


class Moved(NamedTuple):
    """A sample by its numbers on both sides, and its values there."""

    task: PairedTask
    numbers: tuple[int, int]
    values: tuple[float, float]


def chosen_score(paired: Paired, named: str | None) -> ScoreName:
    """Return the score that is called `NAME` or `METRIC/NAME`; nothing need be named where there is one.

    Raises InvalidInput, naming those that there are, also for a score that samples have together alone.
    """
    known = sorted({(each.metric, each.name) for each in paired.scores if each.is_of_each})
    together = {(each.metric, each.name) for each in paired.scores if not each.is_of_each}
    if named is not None:
        if _called(named, together) and not _called(named, known):
            told = f"{named!r} is of all samples together, and no single one has it"
            raise InvalidInput(f"{told}; name one of: {_listed(known)}")
        return find_score(named, known) or known[0]
    if len(known) > 1:
        raise InvalidInput(f"there are several scores; name one of: {_listed(known)}")
    return known[0]


def _called(name: str, scores: Iterable[ScoreName]) -> bool:
    return any(name in (each[1], "/".join(each)) for each in scores)


def _listed(scores: Sequence[ScoreName]) -> str:
    return ", ".join(map("/".join, scores))


def changed_samples(
    sides: tuple[Side, Side], paired: Paired, score: ScoreName, way: Way, *, limit: int, after: Place | None = None
) -> list[ChangedSample]:
    """Return the samples that changed most in a score, or that follow a place among them, at most `limit`.

    Raises InvalidInput for a place in a task that is not compared.
    """
    ranks = {task.name: rank for rank, task in enumerate(paired.tasks)}
    tasks = {task.name: task for task in paired.tasks}
    moved: list[tuple[tuple[float, int, int], Moved]] = []
    for pairs in paired.scores:
        if (pairs.metric, pairs.name) == score:
            own = _moved(pairs, tasks[pairs.task], way)
            moved += ((_key(each, ranks), each) for each in own)
    moved.sort(key=lambda each: each[0])
    start = 0
    if after is not None:
        if after.task not in ranks:
            raise InvalidInput("the cursor is of other results")
        last = (-after.size, ranks[after.task], after.sample)
        start = bisect_right(moved, last, key=lambda each: each[0])
    return _answered(sides, [each for _, each in moved[start : start + limit]])


def _moved(pairs: ScoredPairs, task: PairedTask, way: Way) -> list[Moved]:
    up = (way == "improved") != pairs.lower_is_better
    kept = pairs.compared.items()
    return [Moved(task, task.matching.pairs[at], (a, b)) for at, (a, b) in kept if (b > a if up else b < a)]


def _key(moved: Moved, ranks: Mapping[str, int]) -> tuple[float, int, int]:
    baseline, candidate = moved.values
    return -abs(candidate - baseline), ranks[moved.task.name], moved.numbers[0]


def _answered(sides: tuple[Side, Side], page: Sequence[Moved]) -> list[ChangedSample]:
    texts: dict[tuple[int, str], Mapping[int, list[str | None]]] = {}
    for task in {each.task.name: each.task for each in page}.values():
        own = [each.numbers for each in page if each.task is task]
        for at, spec in enumerate((task.baseline, task.candidate)):
            texts[at, task.name] = sides[at].outputs(spec, {numbers[at] for numbers in own})
    return [
        ChangedSample(
            each.task.name,
            each.values[1] - each.values[0],
            *(
                Answered(each.numbers[at], each.values[at], texts[at, each.task.name][each.numbers[at]])
                for at in (0, 1)
            ),
        )
        for each in page
    ]
