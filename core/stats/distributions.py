"""The distributions behind intervals and tests: normal, Student's t, binomial and beta, to 1e-10.

What `scipy.stats` would give, for which it is not worth 140 MB of every installation.
"""

from collections.abc import Callable
from functools import lru_cache
from math import erfc, exp, inf, lgamma, log, log1p, pow, sqrt
from statistics import NormalDist
from typing import Final

MAX_TERMS: Final = 100_000
"""Of the continued fraction: it needs some square root of its larger parameter."""

TINY: Final = 1e-300
EPSILON: Final = 1e-16
NORMAL: Final = 1e10
"""From so many degrees of freedom on, Student's t is normal to the tenth digit, and the fraction would not converge."""

LARGE: Final = 30.0
"""From where on the logarithm of a ratio of gamma functions comes from its series: differences of lgamma cancel."""

_STANDARD: Final = NormalDist()


def normal_quantile(p: float) -> float:
    """Return z with P(Z <= z) = p for a standard normal Z; 0 < p < 1."""
    return _STANDARD.inv_cdf(p)


def normal_cdf(z: float) -> float:
    """Return P(Z <= z) for a standard normal Z, precise in both tails."""
    return 0.5 * erfc(-z / sqrt(2.0))


def t_cdf(t: float, df: float) -> float:
    """Return P(T <= t) for Student's t with `df` degrees of freedom, precise in the lower tail."""
    if t in (inf, -inf):
        return float(t > 0)
    square = t * t
    tail = 0.5 * beta_cdf(df / (df + square), df / 2, 0.5, complement=square / (df + square))
    return 1.0 - tail if t > 0 else tail


@lru_cache(1024)
def t_quantile(p: float, df: float) -> float:
    """Return t with P(T <= t) = p for Student's t; 0 < p < 1.

    By Newton's steps from the normal quantile, which is nearer to 0. The distribution is concave from there on, so that
    no step goes too far: the first that leads no further has arrived.
    """
    if p < 0.5:
        return -t_quantile(1.0 - p, df)
    t = normal_quantile(p)
    if df >= NORMAL:
        return t
    while (following := t + (p - t_cdf(t, df)) / _t_density(t, df)) > t:
        t = following
    return t


def _t_density(t: float, df: float) -> float:
    return exp(-_log_beta(df / 2, 0.5) - 0.5 * log(df) - (df + 1) / 2 * log1p(t * t / df))


def beta_cdf(x: float, a: float, b: float, *, complement: float | None = None) -> float:
    """Return the regularised incomplete beta function I_x(a, b), by Lentz's continued fraction.

    `complement` is 1 - x where it is known better than that difference gives it.
    """
    y = 1.0 - x if complement is None else complement
    if x <= 0.0 or y <= 0.0:
        return float(x > 0.0)
    front = exp(a * _log(x, y) + b * _log(y, x) - _log_beta(a, b))
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - front * _fraction(y, b, a) / b
    return front * _fraction(x, a, b) / a


def binomial_cdf(k: int, n: int, p: float) -> float:
    """Return P(X <= k) for X ~ Bin(n, p)."""
    if k < 0 or k >= n:
        return float(k >= n)
    return beta_cdf(1.0 - p, n - k, k + 1, complement=p)


@lru_cache(1024)
def upper_limit(k: int, n: int, tail: float) -> float:
    """Return the share p at which k of n or fewer have the probability `tail`: Clopper and Pearson 1934."""
    if k >= n:
        return 1.0
    if k == 0:
        return 1.0 - pow(tail, 1.0 / n)
    return bisected(lambda p: binomial_cdf(k, n, p) > tail, 0.0, 1.0)


def bisected(is_below: Callable[[float], bool], low: float, high: float) -> float:
    """Return where `is_below` turns from true to false between two points, to the last bit."""
    while low < (middle := (low + high) / 2) < high:
        if is_below(middle):
            low = middle
        else:
            high = middle
    return high


def _log(part: float, rest: float) -> float:
    """Return the logarithm of a part of 1 whose rest is known."""
    return log(part) if part < 0.5 else log1p(-rest)


def _log_beta(a: float, b: float) -> float:
    a, b = max(a, b), min(a, b)
    if a < LARGE:
        return lgamma(a) + lgamma(b) - lgamma(a + b)
    grown = (a - 0.5) * log1p(b / a) + b * log(a + b) - b + _stirling(a + b) - _stirling(a)
    return lgamma(b) - grown


def _stirling(z: float) -> float:
    """Return the remainder of Stirling's series of lgamma(z)."""
    inverse = 1.0 / (z * z)
    return (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / z


def _fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction of I_x(a, b), by Lentz's method as modified by Thompson and Barnett 1986."""
    c, d = 1.0, 1.0 / _nonzero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, MAX_TERMS):
        twice = a + 2.0 * m
        for step in (
            m * (b - m) * x / ((twice - 1.0) * twice),
            -(a + m) * (a + b + m) * x / (twice * (twice + 1.0)),
        ):
            d = 1.0 / _nonzero(1.0 + step * d)
            c = _nonzero(1.0 + step / c)
            value *= c * d
        if abs(c * d - 1.0) < EPSILON:
            break
    return value


def _nonzero(value: float) -> float:
    return value if abs(value) > TINY else TINY
