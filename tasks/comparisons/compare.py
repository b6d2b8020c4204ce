"""Two results compared: their common samples, their common scores, and what they were made by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from types import MappingProxyType
from typing import Final, Literal

from core.comparison import ScoreComparison, compare_scores
from core.components import Changed, Part
from core.errors import InvalidInput
from store.results.folder import JobFolder
from tasks.comparisons.matching import Matching
from tasks.comparisons.pairing import Paired, pair_results
from tasks.comparisons.reruns import with_noise
from tasks.comparisons.sides import Side
from tasks.comparisons.slices import SlicedScore, slice_scores

Attribution = Part | Literal["joint", "noise"]

NONE_ALIKE: Final[Mapping[str, Iterable[JobFolder]]] = MappingProxyType({})


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

    def __post_init__(self) -> None:
        """Raise InvalidInput for a margin or a level that there cannot be."""
        if self.margin is not None and not 0 < self.margin < inf:
            raise InvalidInput(f"margin: a number above 0, and not {self.margin:g}")
        if not 0 < self.alpha < 0.5:
            raise InvalidInput(f"alpha: a number between 0 and 0.5, and not {self.alpha:g}")


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
    def parts(self) -> list[Part]:
        """What may have made the difference: the parts that differ, but for the samples and this service."""
        return sorted({each.part for each in self.changed if each.part not in ("code", "dataset")})

    @property
    def attribution(self) -> Attribution:
        """What the difference comes from: the one part that differs, several together, or chance."""
        if not self.parts:
            return "noise"
        return self.parts[0] if len(self.parts) == 1 else "joint"

    @property
    def separating(self) -> str | None:
        """Which run would tell apart what several parts have in the difference; None unless several differ."""
        if self.attribution != "joint":
            return None
        first, *rest = self.parts
        return (
            f"{', '.join(self.parts)} differ: run the baseline once more with the candidate's {first} alone; what then "
            f"is left of the difference comes from {', '.join(rest)}"
        )


def compare(
    baseline: Side, candidate: Side, asked: Asked, alike: Mapping[str, Iterable[JobFolder]] = NONE_ALIKE
) -> Comparison:
    """Compare two results; those `alike`, by the job that they may be runs of, tell what chance alone makes.

    Raises InvalidInput if the sides have no task, sample or score in common, or none of those asked for.
    """
    return compare_paired(pair_results(baseline, candidate, asked.match), (baseline, candidate), asked, alike)


def compare_paired(
    paired: Paired, sides: tuple[Side, Side], asked: Asked, alike: Mapping[str, Iterable[JobFolder]] = NONE_ALIKE
) -> Comparison:
    """Compare two results that are paired already. Raises InvalidInput for a metric or column that they do not have."""
    paired = with_noise(sides, paired, alike)
    known = sorted({score.metric for score in paired.scores})
    for name in asked.primary:
        if name not in known:
            raise InvalidInput(f"primary: no metric {name!r} on both sides; metrics: {', '.join(known)}")
    compared = compare_scores(paired.scores, margin=asked.margin, primary=asked.primary, alpha=asked.alpha)
    slices = []
    if asked.slice is not None:
        slices = slice_scores(sides[0], paired, compared, asked.slice, margin=asked.margin, alpha=asked.alpha)
    return Comparison([(task.name, task.matching) for task in paired.tasks], compared, paired.changed, slices)
