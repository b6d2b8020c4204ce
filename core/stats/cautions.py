"""What to be careful about in reading a mean."""

from collections.abc import Sequence
from math import fsum, sqrt
from typing import Final

from core.stats.words import Caution

FEW: Final = 30
"""With fewer samples, or clusters, an interval is right less often than it says."""

MANY: Final = 100
SKEWED: Final = 2.0
NOTABLE: Final = 0.01
"""The share of excluded samples, or truncated outputs, that is worth a word."""


def mean_cautions(
    *,
    samples: int,
    excluded: float,
    effective_clusters: float | None,
    truncated: float,
    skew: float | None,
    identical: bool = False,
) -> list[Caution]:
    """Return the cautions of a mean over `samples`; `excluded` and `truncated` are shares.

    `effective_clusters` are those of equal size (None: no clusters), `skew` is that of an unknown scale. Outputs are
    `identical` if those of a sample's trials never differ.
    """
    holds: dict[Caution, bool] = {
        "few_samples": 0 < samples < FEW,
        "few_clusters": effective_clusters is not None and effective_clusters < FEW,
        "excluded_samples": excluded >= NOTABLE,
        "truncated": truncated > NOTABLE,
        "identical_trials": identical,
        "skewed": skew is not None and abs(skew) > SKEWED and samples < MANY,
    }
    return [caution for caution, held in holds.items() if held]


def skewness(values: Sequence[float]) -> float | None:
    """Return the third standardised moment of values; None if they do not vary."""
    mean = fsum(values) / len(values)
    deviation = sqrt(fsum((value - mean) ** 2 for value in values) / len(values))
    if deviation <= 0.0:
        return None
    # Not by powers of the deviation, which of tiny values are 0.
    return fsum(((value - mean) / deviation) ** 3 for value in values) / len(values)
