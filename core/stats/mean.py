"""The mean of a score over a task's samples, and where that of all such samples may lie.

The question is about the population that the samples stand for (Miller 2024, arXiv 2411.00640): a new draw of samples.
"""

from dataclasses import dataclass
from math import pow

from core.stats.distributions import normal_quantile, t_quantile
from core.stats.interval import Interval, ScoreScale, no_interval
from core.stats.proportion import score_limits
from core.stats.tango import Changes, tango_limits
from core.stats.units import SAME, Rows
from core.stats.words import Method


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure of `groups` units, with its standard error (None for fewer than two) and its interval."""

    value: float | None
    standard_error: float | None
    groups: int
    interval: Interval


def estimated_mean(
    rows: Rows, scale: ScoreScale | None, *, is_preference: bool = False, level: float = 0.95
) -> Estimate:
    """Return the mean of values, and its interval by the first method that fits.

    A preference is worth 0, 1/2 or 1. All values must be on the scale. The value is None if there is none.
    """
    if not len(rows):
        return Estimate(None, None, 0, no_interval("nothing_scored"))
    mean = rows.mean()
    error, groups = rows.standard_error(mean), rows.groups
    if scale is None:
        size = max(abs(value) for value in rows.values)
        return Estimate(mean, error, groups, unscaled_interval(mean, error, groups, size=size, level=level))
    interval = None
    if rows.is_plain and not _is_same(error, groups, len(rows), scale):
        interval = _plain_interval(rows, scale, is_preference=is_preference, level=level)
    if interval is None:
        interval = scaled_interval(mean, error, groups, scale, rows=len(rows), level=level)
    return Estimate(mean, error, groups, interval)


def unscaled_interval(value: float, error: float | None, groups: int, *, size: float, level: float) -> Interval:
    """Return Student's interval of a figure that has no known scale; `size` is that of what it was made of."""
    if error is None:
        return no_interval("too_few")
    if error <= SAME * size:
        return no_interval("no_variation")
    half = t_quantile((1 + level) / 2, groups - 1) * error
    return Interval("t", value - half, value + half)


def scaled_interval(
    value: float, error: float | None, groups: int, scale: ScoreScale, *, rows: int, level: float
) -> Interval:
    """Return the interval of a figure on a scale, from its standard error over units.

    If nothing varies, how much of others there may be that was not met: at the ends of a scale the limits of Clopper
    and Pearson. Else Wilson's interval at the number of checks that would have the same error.
    """
    share = (scale.clamped(value) - scale.low) / scale.width
    if _is_same(error, groups, rows, scale) or share in (0.0, 1.0):
        met = pow((1 - level) / 2, 1.0 / groups)
        low, high = met * share, met * share + (1 - met)
    elif error is None:
        return no_interval("one_cluster")
    else:
        effective = effective_size(share, error / scale.width)
        low, high = score_limits(share, effective, t_quantile((1 + level) / 2, groups - 1))
        return _on(scale, "score", low, high)
    return _on(scale, "exact", low, high)


def effective_size(share: float, error: float) -> float:
    """Return how many checks of which `share` pass would have this standard error."""
    return share * (1 - share) / (error * error)


def missing_bounds(total: float, weight: float, excluded: float, scale: ScoreScale) -> tuple[float, float]:
    """Return what a mean would be if all that was excluded had the least, or the greatest value: Manski 1989.

    `total` and `weight` are the sums over what was scored; `excluded` is the weight of the rest.
    """
    everything = weight + excluded
    return (total + excluded * scale.low) / everything, (total + excluded * scale.high) / everything


def _plain_interval(rows: Rows, scale: ScoreScale, *, is_preference: bool, level: float) -> Interval | None:
    """Return the interval of single values that are wins, losses and ties, or pass and fail; None of others."""
    values = [scale.clamped(value) for value in rows.values]
    top, bottom, n = values.count(scale.high), values.count(scale.low), len(values)
    if is_preference:
        low, high = tango_limits(Changes(top, bottom, n), level)
        return _on(scale, "tango", (1 + low) / 2, (1 + high) / 2)
    if top + bottom == n:
        return _on(scale, "wilson", *score_limits(top / n, n, normal_quantile((1 + level) / 2)))
    return None


def _is_same(error: float | None, groups: int, rows: int, scale: ScoreScale) -> bool:
    """Whether all units say the same: they are a single value, or differ by rounding alone."""
    return rows == groups == 1 if error is None else error <= SAME * scale.width


def _on(scale: ScoreScale, method: Method, low: float, high: float) -> Interval:
    return Interval(method, scale.low + scale.width * low, scale.low + scale.width * high)
