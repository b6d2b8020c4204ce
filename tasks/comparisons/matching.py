"""Which sample of one result is which of the other."""

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from core.errors import InvalidInput
from core.spec import TaskSpec
from tasks.comparisons.sides import Side

By = Literal["sample", "column", "dataset", "item"]
"""What samples were matched by: their number in one job, a column, their number in equal datasets, their rows."""

SORTED: Final = orjson.OPT_SORT_KEYS


@dataclass(frozen=True, slots=True)
class Matching:
    """The numbers of the samples that are the same on both sides, in the baseline's order.

    Of those that were matched by a column, `items_changed` have rows that differ otherwise.
    """

    by: By
    pairs: list[tuple[int, int]]
    only_baseline: int
    only_candidate: int
    items_changed: int = 0


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


def matched(baseline: Side, candidate: Side, tasks: tuple[TaskSpec, TaskSpec], column: str | None = None) -> Matching:
    """Match the samples of a task, by a column if one is named. Raises InvalidInput for one that tells none apart."""
    counts = baseline.samples(tasks[0]), candidate.samples(tasks[1])
    if baseline.folder.job_id == candidate.folder.job_id:
        return _by_number("sample", *counts)
    if column is not None:
        return _by_column(baseline, candidate, tasks, column)
    if baseline.digest(tasks[0]) == candidate.digest(tasks[1]):
        return _by_number("dataset", *counts)
    recorded = baseline.recorded_columns | candidate.recorded_columns
    return _by_row(baseline.rows(tasks[0]), candidate.rows(tasks[1]), recorded)


def _by_number(by: By, baseline: int, candidate: int) -> Matching:
    common = min(baseline, candidate)
    return Matching(by, [(sample, sample) for sample in range(common)], baseline - common, candidate - common)


def _by_column(baseline: Side, candidate: Side, tasks: tuple[TaskSpec, TaskSpec], column: str) -> Matching:
    recorded = baseline.recorded_columns | candidate.recorded_columns | {column}
    first, second = (
        _keyed(side.rows(task), column, f"job {side.folder.job_id}, task {task.name!r}", recorded)
        for side, task in zip((baseline, candidate), tasks, strict=True)
    )
    common = [key for key in first if key in second]
    pairs = [(first[key][0], second[key][0]) for key in common]
    changed = sum(first[key][1] != second[key][1] for key in common)
    return Matching("column", pairs, len(first) - len(common), len(second) - len(common), changed)


def _by_row(
    baseline: Iterable[Mapping[str, Any]], candidate: Iterable[Mapping[str, Any]], recorded: Set[str]
) -> Matching:
    """Match equal rows; of several that are equal, the first with the first."""
    numbers: defaultdict[bytes, deque[int]] = defaultdict(deque)
    total = 0
    for total, row in enumerate(candidate, start=1):
        numbers[_digest(row, recorded)].append(total - 1)
    pairs, only = [], 0
    for sample, row in enumerate(baseline):
        if waiting := numbers.get(_digest(row, recorded)):
            pairs.append((sample, waiting.popleft()))
        else:
            only += 1
    return Matching("item", pairs, only, total - len(pairs))


def _keyed(
    rows: Iterable[Mapping[str, Any]], column: str, where: str, recorded: Set[str]
) -> dict[bytes, tuple[int, bytes]]:
    """Return each row's number and digest by its value in a column, which tells all rows apart."""
    keyed: dict[bytes, tuple[int, bytes]] = {}
    for sample, row in enumerate(rows):
        if row.get(column) is None:
            raise InvalidInput(
                f"{where}, row {sample + 1}: no value in column {column!r}, by which samples are matched"
            )
        key = orjson.dumps(row[column], option=SORTED)
        if key in keyed:
            rows_told = f"rows {keyed[key][0] + 1} and {sample + 1}"
            raise InvalidInput(f"{where}: column {column!r} has {key.decode()[:100]} twice, in {rows_told}")
        keyed[key] = sample, _digest(row, recorded)
    return keyed


def _digest(row: Mapping[str, Any], without: Set[str]) -> bytes:
    kept = {name: value for name, value in row.items() if name not in without}
    return hashlib.sha256(orjson.dumps(kept, option=SORTED)).digest()
