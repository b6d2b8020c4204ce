"""A comparison by the values of a column: where the sides differ, for looking around."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from pydantic import JsonValue

from core.comparison import ScoreComparison, compare_slices
from core.errors import InvalidInput
from tasks.comparisons.matching import PairedTask
from tasks.comparisons.pairing import Paired
from tasks.comparisons.sides import Side

MOST_VALUES: Final = 50


@dataclass(frozen=True, slots=True)
class SlicedScore:
    """A score's comparison on the samples whose rows have a value; those that have none are a slice of their own."""

    value: JsonValue
    score: ScoreComparison


def slice_scores(
    baseline: Side,
    paired: Paired,
    scores: Sequence[ScoreComparison],
    column: str,
    *,
    margin: float | None,
    alpha: float,
) -> list[SlicedScore]:
    """Compare scores once more for each value of a column of the baseline's rows.

    Tasks without the column have no slices. Raises InvalidInput if none has it, or one has more than 50 values.
    """
    slices = {task.name: _places(baseline, task, column) for task in paired.tasks}
    if not any(slices.values()):
        raise InvalidInput(f"slice: no row that is compared has a value in column {column!r}")
    sliced: list[SlicedScore] = []
    for score in scores:
        own = slices[score.about.task]
        found = compare_slices(score, [places for _, places in own], margin=margin, alpha=alpha)
        sliced += (SlicedScore(value, each) for (value, _), each in zip(own, found, strict=True))
    return sliced


def _places(baseline: Side, task: PairedTask, column: str) -> list[tuple[JsonValue, list[int]]]:
    """Return the values of a column, and at which places the matched samples are that have each."""
    values: list[JsonValue] = [row.get(column) for row in baseline.rows(task.baseline)]
    places: dict[bytes, list[int]] = {}
    for at, (sample, _) in enumerate(task.matching.pairs):
        places.setdefault(orjson.dumps(values[sample], option=orjson.OPT_SORT_KEYS), []).append(at)
    if len(places) > MOST_VALUES:
        where = f"column {column!r} has {len(places)} values in task {task.name!r}"
        raise InvalidInput(f"slice: {where}; at most {MOST_VALUES} are compared")
    if places.keys() <= {b"null"}:
        return []
    return [(orjson.loads(key), places[key]) for key in sorted(places)]
