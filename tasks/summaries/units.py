"""What a sample counts as in a mean: its cluster and its weight, by the columns that its task names."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import orjson

from core.errors import DatasetUnreadable
from core.spec import TaskSpec


class Standing:
    """What the samples of a task count as: `clusters` and `weights` by sample, None where the task names none."""

    def __init__(self, task: TaskSpec | None = None) -> None:
        """Begin with no samples; without a task each sample is one of its own, and weighs 1."""
        self._task = task
        self.clusters: dict[int, str] | None = {} if task and task.cluster else None
        self.weights: dict[int, float] | None = {} if task and task.weight else None

    @property
    def reads_rows(self) -> bool:
        """Whether the samples' rows say what they count as."""
        return self.clusters is not None or self.weights is not None

    def take(self, start: int, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take the rows from sample `start` on, which were checked when they were frozen."""
        for sample, row in enumerate(rows, start):
            if self._task and self._task.cluster and self.clusters is not None:
                self.clusters[sample] = cluster_of(row[self._task.cluster])
            if self._task and self._task.weight and self.weights is not None:
                self.weights[sample] = weight_of(row[self._task.weight])

    def units(self, samples: Sequence[int]) -> Sequence[int] | Sequence[str]:
        """Return what was drawn: the cluster of each sample, or the sample itself."""
        return samples if self.clusters is None else [self.clusters[sample] for sample in samples]

    def weigh(self, samples: Sequence[int]) -> list[float] | None:
        """Return the weight of each sample; None if all weigh the same."""
        return None if self.weights is None else [self.weights[sample] for sample in samples]


def cluster_of(value: Any) -> str:
    """Return a column's value as the name of a cluster. Raises ValueError where there is none."""
    if value is None or value == "":
        raise ValueError("a sample without a cluster; name one in each row, or no column as `cluster`")
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def weight_of(value: Any) -> float:
    """Return a column's value, a number or its text, as a weight. Raises ValueError for what is none."""
    try:
        weight = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        weight = float("nan")
    if not (isfinite(weight) and weight >= 0):
        raise ValueError(f"{str(value)[:100]!r} is no weight; a weight is a number of at least 0")
    return weight


def of_some_weight(task: TaskSpec, rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield rows whose weights were checked. Raises DatasetUnreadable after them if none weighs anything."""
    if task.weight is None:
        yield from rows
        return
    weighs = False
    for row in rows:
        weighs = weighs or weight_of(row[task.weight]) > 0
        yield row
    if not weighs:
        raise DatasetUnreadable(f"task {task.name!r}: no row weighs anything: {task.weight!r} is 0 in all of them")
