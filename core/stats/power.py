"""How small a difference so many samples can show, and how many samples a difference, or an interval, takes."""

from collections.abc import Callable
from math import ceil, sqrt
from typing import Final

from core.stats.distributions import bisected, normal_quantile, t_quantile
from core.stats.proportion import score_limits

POWER: Final = 0.8
"""How often a difference of the size asked for is to be found."""

Deviation = Callable[[float], float]
"""The standard deviation of single differences, by their mean: of checks it is less, the larger that is."""


def detectable(error: float, groups: float, *, alpha: float = 0.05, power: float = POWER) -> float:
    """Return the least difference that is found as often as `power` says, given the standard error over `groups`.

    Within 0.2 % of that by the noncentral t, from ten groups on.
    """
    return (t_quantile(1 - alpha / 2, groups - 1) + t_quantile(power, groups - 1)) * error


def samples_needed(deviation: float, difference: float, *, alpha: float = 0.05, power: float = POWER) -> int:
    """Return how many pairs it takes to find a `difference`, given the deviation of single ones; at least 2."""
    return _least(
        lambda n: detectable(deviation / sqrt(n), n, alpha=alpha, power=power) <= difference,
        ceil((deviation / difference) ** 2),
    )


def least_difference(
    deviation: Deviation, samples: float, widest: float, *, alpha: float = 0.05, power: float = POWER
) -> float | None:
    """Return the least difference up to `widest` that so many independent pairs find; None if they find none."""

    def is_found(difference: float) -> bool:
        error = deviation(difference) / sqrt(samples)
        return detectable(error, samples, alpha=alpha, power=power) <= difference

    if samples <= 1 or not is_found(widest):
        return None
    return bisected(lambda difference: not is_found(difference), 0.0, widest)


def samples_for_half(deviation: float, half: float, *, alpha: float = 0.05) -> int:
    """Return how many samples it takes for Student's interval of a mean to be `half` wide each way; at least 2."""
    return _least(
        lambda n: half_of_mean(deviation, n, alpha=alpha) <= half,
        ceil((deviation / half) ** 2),
    )


def samples_for_share(share: float, half: float, *, alpha: float = 0.05) -> int:
    """Return how many checks it takes for Wilson's interval of a share to be `half` wide each way, half its width."""
    return _least(lambda n: half_of_share(share, n, alpha=alpha) <= half, ceil(share * (1 - share) / half**2))


def half_of_mean(deviation: float, samples: float, *, alpha: float = 0.05) -> float:
    """Return half the width of Student's interval of a mean of so many samples, more than one."""
    return t_quantile(1 - alpha / 2, samples - 1) * deviation / sqrt(samples)


def half_of_share(share: float, samples: float, *, alpha: float = 0.05) -> float:
    """Return half the width of Wilson's interval of a share of so many samples."""
    low, high = score_limits(share, samples, normal_quantile(1 - alpha / 2))
    return (high - low) / 2


def _least(suffice: Callable[[int], bool], near: int) -> int:
    """Return the least number, 2 or more, from which on so many suffice; it is sought from `near` on."""
    high = max(2, near)
    while not suffice(high):
        high *= 2
    low = 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffice(middle) else (middle, high)
    return high
