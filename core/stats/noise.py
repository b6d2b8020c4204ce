"""How much a mean moves when nothing but chance is new: the same model, asked the same once more."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from typing import Final

from core.stats.interval import ScoreScale
from core.stats.repeats import Spread, flip_rate, spread

SURE: Final = 1.96
"""Standard errors within which 95 of 100 reruns lie."""

Trials = Sequence[Sequence[float]]
"""What each sample's trials are worth, one at least."""


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """The difference that a rerun alone can make, and how often a check turns out otherwise; None of graded scores.

    `job` is the earlier run of the same that tells it; None if the trials do.
    """

    difference: float
    flip_rate: float | None = None
    job: str | None = None

    def expected(self, pairs: int) -> float | None:
        """Return how many of so many samples a rerun alone makes better, and as many worse."""
        return None if self.flip_rate is None else pairs * self.flip_rate / 2


def noise_of_trials(baseline: Trials, candidate: Trials, scale: ScoreScale | None) -> NoiseFloor | None:
    """Return what the trials of two sides tell of reruns; None if no sample has several.

    A side whose samples were asked once is taken to vary within them as the other does.
    """
    if all(len(each) == 1 for side in (baseline, candidate) for each in side):
        return None
    found = [spread(side) for side in (baseline, candidate)]
    within = [each.within for each in found if each.within is not None]
    errors = [_rerun_error(*each, max(within)) for each in zip(found, (len(baseline), len(candidate)), strict=True)]
    flips = None
    if scale is not None and scale.are_ends(value for side in (baseline, candidate) for each in side for value in each):
        tried = [(len(each), sum(map(scale.is_top, each))) for side in (baseline, candidate) for each in side]
        flips = flip_rate(tried)
    return NoiseFloor(SURE * sqrt(errors[0] ** 2 + errors[1] ** 2), flips)


def noise_of_pair(first: Sequence[float], second: Sequence[float], scale: ScoreScale | None, job: str) -> NoiseFloor:
    """Return what two runs of the same tell of reruns, from what each sample was worth in both; there is one."""
    moved = [b - a for a, b in zip(first, second, strict=True)]
    flips = sum(map(bool, moved)) / len(moved) if scale is not None and scale.are_ends([*first, *second]) else None
    return NoiseFloor(abs(fsum(moved)) / len(moved), flips, job)


def _rerun_error(side: Spread, samples: int, within: float) -> float:
    return sqrt(within / samples) if side.rerun_error is None else side.rerun_error
