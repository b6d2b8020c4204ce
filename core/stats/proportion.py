"""Intervals of a share: of samples that pass, or of a mean on a known scale."""

from math import sqrt

from core.stats.distributions import normal_quantile

Limits = tuple[float, float]


def score_limits(p: float, n: float, crit: float) -> Limits:
    """Return the score interval of a share `p` of `n`, which may be no whole number: Wilson 1927. Range 0..1.

    The two roots of (p - m)^2 = crit^2 m (1 - m) / n.
    """
    square = crit * crit / n
    middle = (p + square / 2) / (1 + square)
    half = crit / (1 + square) * sqrt(p * (1 - p) / n + square / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def wilson(passed: int, n: int, level: float = 0.95) -> Limits:
    """Return the interval of the share that passes, of which `passed` of `n` did."""
    return score_limits(passed / n, n, normal_quantile((1 + level) / 2))
