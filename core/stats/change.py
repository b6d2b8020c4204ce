"""Why a mean changed: what the common samples did, and what came of other samples."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import fsum


@dataclass(frozen=True, slots=True)
class Change:
    """How a mean changed in all, over the `pairs` of both sides, and by having other samples; None without any."""

    pairs: int
    only_baseline: int
    only_candidate: int
    total: float | None
    paired: float | None
    composition: float | None


def score_change(baseline: Mapping[Hashable, float], candidate: Mapping[Hashable, float]) -> Change:
    """Part the change of a mean, given each side's scores by sample, so that the parts add up to it."""
    common = baseline.keys() & candidate.keys()
    counts = len(common), len(baseline) - len(common), len(candidate) - len(common)
    if not common:
        return Change(*counts, None, None, None)
    total = fsum(candidate.values()) / len(candidate) - fsum(baseline.values()) / len(baseline)
    paired = fsum(candidate[sample] - baseline[sample] for sample in common) / len(common)
    return Change(*counts, total, paired, total - paired)
