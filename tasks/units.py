"""What a sample counts as in a mean: its cluster and its weight, by the columns that its task names."""

from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

import orjson

from core.errors import DatasetUnreadable
from core.spec import TaskSpec


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
