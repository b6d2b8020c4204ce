"""Why a mean changed: what the common samples did, and what came of other samples."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """How a mean changed in all, over the `pairs` of both sides, and by having other samples; None without any.

    `rescored` is what another definition of the metric made of the baseline's outputs, if they were scored again.
    """

    pairs: int
    only_baseline: int
    only_candidate: int
    total: float | None
    paired: float | None
    composition: float | None
    rescored: float | None = None


def score_change(
    baseline: Mapping[Any, float], candidate: Mapping[Any, float], before: Mapping[Any, float] | None = None
) -> Change:
    """Part the change of a mean, given each side's scores by sample, so that the parts add up to it.

    If the baseline was scored again, `before` is what its scores were.
    """
    common = baseline.keys() & candidate.keys()
    counts = len(common), len(baseline) - len(common), len(candidate) - len(common)
    if not common:
        return Change(*counts, None, None, None)
    total = _mean(candidate) - _mean(baseline)
    paired = fsum(candidate[sample] - baseline[sample] for sample in common) / len(common)
    rescored = _mean(baseline) - _mean(before) if before else None
    return Change(*counts, total + (rescored or 0.0), paired, total - paired, rescored)


def _mean(scores: Mapping[Any, float]) -> float:
    return fsum(scores.values()) / len(scores)
