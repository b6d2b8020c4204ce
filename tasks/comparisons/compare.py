"""Two results compared: their common samples, their common scores, and what they were made by."""

from dataclasses import dataclass
from typing import Literal

from core.comparison import ScoreComparison, compare_scores
from core.components import Part
from core.errors import InvalidInput
from tasks.comparisons.matching import Matching
from tasks.comparisons.pairing import Changed, pair_results
from tasks.comparisons.sides import Side
from tasks.comparisons.slices import SlicedScore, slice_scores

Attribution = Part | Literal["joint", "noise"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a comparison: a column to match by, a margin in units of the scores, which metrics decide.

    By the values of the column `slice` the scores are compared once more.
    """

    match: str | None = None
    margin: float | None = None
    primary: tuple[str, ...] = ()
    alpha: float = 0.05
    slice: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the samples of each task were matched, what came of each score, and what differs between the sides.

    `slices` are the scores by the values of a column, if one was named.
    """

    tasks: list[tuple[str, Matching]]
    scores: list[ScoreComparison]
    changed: list[Changed]
    slices: list[SlicedScore]

    @property
    def attribution(self) -> Attribution:
        """What the difference comes from: the one part that differs, several together, or chance."""
        parts = {each.part for each in self.changed if each.part not in ("code", "dataset")}
        if not parts:
            return "noise"
        return parts.pop() if len(parts) == 1 else "joint"


def compare(baseline: Side, candidate: Side, asked: Asked) -> Comparison:
    """Compare two results. Raises InvalidInput if they have no task or score in common, or none of those asked for."""
    paired = pair_results(baseline, candidate, asked.match)
    known = sorted({score.metric for score in paired.scores})
    for name in asked.primary:
        if name not in known:
            raise InvalidInput(f"primary: no metric {name!r} on both sides; metrics: {', '.join(known)}")
    compared = compare_scores(paired.scores, margin=asked.margin, primary=asked.primary, alpha=asked.alpha)
    slices = []
    if asked.slice is not None:
        slices = slice_scores(baseline, paired, compared, asked.slice, margin=asked.margin, alpha=asked.alpha)
    return Comparison([(task.name, task.matching) for task in paired.tasks], compared, paired.changed, slices)
