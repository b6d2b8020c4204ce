"""Pairs of checks that pass or fail: the interval of their difference, and the test whether there is one."""

from math import comb, copysign, exp, inf, lgamma, log, sqrt
from typing import Final, NamedTuple

from core.stats.distributions import binomial_cdf, bisected, normal_cdf, normal_quantile
from core.stats.proportion import Limits

MOST_BY_COUNTING: Final = 2000
"""Up to so many changed pairs the binomial is summed in whole numbers."""


class Changes(NamedTuple):
    """Of `n` pairs, how many went up and how many down."""

    up: int
    down: int
    n: int

    @property
    def mirrored(self) -> "Changes":
        """The changes with the sides exchanged."""
        return Changes(self.down, self.up, self.n)


def tango_limits(changes: Changes, level: float = 0.95) -> Limits:
    """Return the score interval of the difference of two paired shares: Tango 1998. Range -1..1.

    It has a width also where no pair changed, or all did the same way.
    """
    z = normal_quantile((1 + level) / 2)
    # The upper limit is the lower one with the sides exchanged, so that exchanging them mirrors every bit.
    return _lower(changes, z), -_lower(changes.mirrored, z)


def tango_equivalence(changes: Changes, margin: float) -> float:
    """Return the p-value against a difference of `margin` (0..1) or more, either way, by the same statistic."""
    return max(normal_cdf(-tango_statistic(each, -min(margin, 1.0))) for each in (changes, changes.mirrored))


def tango_statistic(changes: Changes, difference: float) -> float:
    """Return how many standard errors the changes are above a difference, the error being that under it."""
    up, down, n = changes
    first, second = 2.0 * n, (2 * n - up + down) * difference - (up + down)
    spread = difference * (1.0 - difference)
    share = (sqrt(max(0.0, second * second + 4.0 * first * down * spread)) - second) / (2.0 * first)
    variance = n * (2.0 * share + spread)
    above = up - down - n * difference
    if variance <= 0.0:
        return copysign(inf, above) if above else 0.0
    return above / sqrt(variance)


def mcnemar(up: int, down: int) -> tuple[float, float]:
    """Return McNemar's exact p-value of changes each way, and the mid-p, which is the one to use.

    Fagerland, Lydersen and Laake 2013: mid-p keeps the level, and has more power than the exact one. 1 without changes.
    """
    changed, fewer = up + down, min(up, down)
    if not changed:
        return 1.0, 1.0
    at_most, just = _halves(fewer, changed)
    exact = min(1.0, 2.0 * at_most)
    return exact, 1.0 - just / 2 if up == down else exact - just


def _halves(k: int, m: int) -> tuple[float, float]:
    """Return P(X <= k) and P(X = k) for X ~ Bin(m, 1/2)."""
    if m <= MOST_BY_COUNTING:
        term = total = 1
        for i in range(k):
            term = term * (m - i) // (i + 1)
            total += term
        return total / 2**m, comb(m, k) / 2**m
    return binomial_cdf(k, m, 0.5), exp(lgamma(m + 1) - lgamma(k + 1) - lgamma(m - k + 1) - m * log(2.0))


def _lower(changes: Changes, z: float) -> float:
    difference = (changes.up - changes.down) / changes.n
    if difference <= -1.0:
        return -1.0
    return bisected(lambda x: tango_statistic(changes, x) > z, -1.0, difference)
