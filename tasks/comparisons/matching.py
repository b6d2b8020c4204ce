"""Which sample of one result is which of the other."""

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Set
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
    return _by_row(baseline, candidate, tasks)


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


def _by_row(baseline: Side, candidate: Side, tasks: tuple[TaskSpec, TaskSpec]) -> Matching:
    """Match equal rows; of several that are equal, the first with the first."""
    counts = baseline.samples(tasks[0]), candidate.samples(tasks[1])
    recorded = baseline.recorded_columns | candidate.recorded_columns
    pairs: list[tuple[int, int]] = []
    if not recorded:  # most rows are equal to the letter, and then need not be parsed
        pairs = _equal(map(_sha256_of, baseline.texts(tasks[0])), map(_sha256_of, candidate.texts(tasks[1])))
    if len(pairs) < min(counts):
        matched = {a for a, _ in pairs}, {b for _, b in pairs}
        first = _row_digests(baseline, tasks[0], recorded, matched[0])
        pairs += _equal(first, _row_digests(candidate, tasks[1], recorded, matched[1]))
    return Matching("item", sorted(pairs), *(count - len(pairs) for count in counts))


def _row_digests(side: Side, task: TaskSpec, recorded: Set[str], matched: Set[int]) -> Iterator[bytes | None]:
    """Yield the digest of each row; None of one that is matched already."""
    for number, text in enumerate(side.texts(task)):
        yield None if number in matched else _digest(orjson.loads(text), recorded)


def _equal(baseline: Iterable[bytes | None], candidate: Iterable[bytes | None]) -> list[tuple[int, int]]:
    """Return the numbers of those that are the same on both sides, the first with the first; what is None is left."""
    waiting: dict[bytes, int] = {}
    further: defaultdict[bytes, deque[int]] = defaultdict(deque)
    for number, key in enumerate(candidate):
        if key is not None and waiting.setdefault(key, number) != number:
            further[key].append(number)
    pairs = []
    for number, key in enumerate(baseline):
        if key is not None and (other := waiting.pop(key, None)) is not None:
            pairs.append((number, other))
            if further.get(key):
                waiting[key] = further[key].popleft()
    return pairs


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
    kept = {name: value for name, value in row.items() if name not in without} if without else row
    return _sha256(orjson.dumps(kept, option=SORTED))


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _sha256_of(text: str) -> bytes:
    return _sha256(text.encode())
