"""How many samples a question takes, or what so many samples can tell: before they are paid for."""

from dataclasses import dataclass
from math import ceil, inf, sqrt
from typing import Final, Literal

from core.errors import InvalidInput
from core.stats.power import (
    POWER,
    detectable,
    half_of_mean,
    half_of_share,
    least_difference,
    samples_for_half,
    samples_for_share,
    samples_needed,
)

About = Literal["difference", "mean"]

MOST: Final = 10_000_000
"""More samples than that are no plan."""


@dataclass(frozen=True, slots=True)
class Noise:
    """How single samples vary: one of a standard deviation, the share of checks that change, the share that passes.

    The `deviation` is that of single differences, or of single values where it is a mean that is asked about. Samples
    that belong together take `inflation` times as many.
    """

    deviation: float | None = None
    changed: float | None = None
    passing: float | None = None
    inflation: float = 1.0

    def __post_init__(self) -> None:
        """Raise InvalidInput for what no samples are like."""
        given = [each for each in (self.deviation, self.changed, self.passing) if each is not None]
        if len(given) != 1:
            raise InvalidInput("say how samples vary, by one of: deviation, changed, passing")
        _check("deviation", self.deviation, 0.0, inf)
        _check("changed", self.changed, 0.0, 1.0, closed=True)
        _check("passing", self.passing, 0.0, 1.0)

    @property
    def widest(self) -> float:
        """The greatest difference that there can be."""
        if self.passing is not None:
            return max(self.passing, 1 - self.passing)
        return inf if self.changed is None else self.changed

    def at(self, difference: float) -> float:
        """Return the standard deviation of single differences whose mean is that."""
        if self.deviation is not None:
            return self.deviation
        changed = self.changed
        if self.passing is not None:
            other = self.passing + difference if self.passing + difference <= 1 else self.passing - difference
            changed = self.passing * (1 - other) + other * (1 - self.passing)
        assert changed is not None
        return sqrt(max(0.0, changed - difference * difference))


def noise_of_trials(between: float, within: float, trials: int) -> Noise:
    """Return how differences of means over `trials` vary, given the variances between samples and within them."""
    _check("between", between, 0.0, inf, closed=True)
    _check("within", within, 0.0, inf, closed=True)
    if trials < 1:
        raise InvalidInput(f"trials: at least 1, and not {trials}")
    return Noise(deviation=sqrt(between + within / trials))


def inflation_of(cluster_size: float, correlation: float) -> float:
    """Return how many times as many samples clusters take: Kish 1965, by their mean size and their correlation."""
    _check("cluster_size", cluster_size, 1.0, inf, closed=True)
    _check("icc", correlation, 0.0, 1.0, closed=True)
    return 1 + (cluster_size - 1) * correlation


@dataclass(frozen=True, slots=True)
class Aim:
    """What is wanted, one of: to find a difference, an interval that is `half` wide each way, the use of `samples`."""

    mde: float | None = None
    half: float | None = None
    samples: int | None = None
    alpha: float = 0.05
    power: float = POWER

    def __post_init__(self) -> None:
        """Raise InvalidInput for what cannot be aimed at."""
        if sum(each is not None for each in (self.mde, self.half, self.samples)) != 1:
            raise InvalidInput("say what is wanted, by one of: mde, half_width, samples")
        _check("mde", self.mde, 0.0, inf)
        _check("half_width", self.half, 0.0, inf)
        _check("alpha", self.alpha, 0.0, 0.5)
        if not 0.5 <= self.power < 1:
            raise InvalidInput(f"power: at least 0.5, below 1, and not {self.power:g}")
        if self.samples is not None and not 2 <= self.samples <= MOST:
            raise InvalidInput(f"samples: from 2 to {MOST:,}, and not {self.samples:,}")


@dataclass(frozen=True, slots=True)
class Plan:
    """`samples`, the difference that they find as often as `power` says, and half the width of their interval.

    The interval is that of `about`. `mde` is None if so few find nothing; `half_width` is that where nothing changes.
    """

    samples: int
    mde: float | None
    half_width: float | None
    about: About
    alpha: float
    power: float
    deviation: float
    inflation: float


def plan(noise: Noise, aim: Aim) -> Plan:
    """Return the plan for an aim. Raises InvalidInput for a difference that there cannot be, or one too small."""
    samples = aim.samples or ceil(_independent(noise, aim) * noise.inflation)
    independent = samples / noise.inflation
    mde = aim.mde or _detected(noise, independent, aim)
    half = aim.half or _half(noise, independent, aim)
    about: About = "difference" if noise.passing is None else "mean"
    return Plan(samples, mde, half, about, aim.alpha, aim.power, noise.at(mde or 0.0), noise.inflation)


def _independent(noise: Noise, aim: Aim) -> int:
    """Return how many samples it takes of which each stands for itself."""
    if aim.mde is not None:
        if aim.mde > noise.widest:
            raise InvalidInput(f"mde: there can be no difference of {aim.mde:g} here; at most {noise.widest:g}")
        deviation = noise.at(aim.mde)
        _check_number(deviation / aim.mde)
        return samples_needed(deviation, aim.mde, alpha=aim.alpha, power=aim.power)
    assert aim.half is not None
    _check_number(noise.at(0.0) / aim.half)
    if noise.passing is not None:
        return samples_for_share(noise.passing, aim.half, alpha=aim.alpha)
    return samples_for_half(noise.at(0.0), aim.half, alpha=aim.alpha)


def _detected(noise: Noise, independent: float, aim: Aim) -> float | None:
    if independent <= 1:
        return None
    if noise.deviation is not None:
        return detectable(noise.deviation / sqrt(independent), independent, alpha=aim.alpha, power=aim.power)
    return least_difference(noise.at, independent, noise.widest, alpha=aim.alpha, power=aim.power)


def _half(noise: Noise, independent: float, aim: Aim) -> float | None:
    if noise.passing is not None:
        return half_of_share(noise.passing, independent, alpha=aim.alpha)
    return half_of_mean(noise.at(0.0), independent, alpha=aim.alpha) if independent > 1 else None


def _check_number(ratio: float) -> None:
    """Raise InvalidInput if the samples that a deviation takes, so many times what is wanted, are no plan."""
    if ratio * ratio > MOST:
        raise InvalidInput(f"that takes more than {MOST:,} samples; ask for less")


def _check(what: str, value: float | None, low: float, high: float, *, closed: bool = False) -> None:
    if value is not None and not (low <= value <= high if closed else low < value < high):
        between = f"above {low:g}" if high == inf else f"between {low:g} and {high:g}"
        raise InvalidInput(f"{what}: a number {between}{' or that' if closed else ''}, and not {value:g}")
