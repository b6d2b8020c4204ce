"""An interval, how it was made or why there is none, and the scale that a score is on."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from core.stats.words import Method, Reason


class ScoreScale(NamedTuple):
    """The least and the greatest value that a score can have."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """How far they are apart."""
        return self.high - self.low

    def clamped(self, value: float) -> float:
        """Return a value that rounding may have put beyond an end."""
        return min(max(value, self.low), self.high)

    def are_ends(self, values: Iterable[float]) -> bool:
        """Whether values are at the ends of the scale alone, as those of checks that pass or fail."""
        return all(self.clamped(value) in self for value in set(values))

    def is_top(self, value: float) -> bool:
        """Whether a value is the greatest, as that of a check that passes."""
        return self.clamped(value) == self.high

    def has(self, value: float) -> bool:
        """Whether a value is on the scale, but for rounding."""
        return self.low - 1e-9 * self.width <= value <= self.high + 1e-9 * self.width


SHARE: Final = ScoreScale(0.0, 1.0)
"""The scale of checks, and of all that is a share."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure lies for all that the samples tell; without a `method` there is none, for a `reason`."""

    method: Method | None
    low: float | None = None
    high: float | None = None
    reason: Reason | None = None

    def within(self, least: float | None, greatest: float | None) -> "Interval":
        """Return it without what no value can be, where an end is known."""
        if self.low is None or self.high is None:
            return self
        low = self.low if least is None else max(self.low, least)
        high = self.high if greatest is None else min(self.high, greatest)
        return replace(self, low=low, high=high)


def no_interval(reason: Reason) -> Interval:
    """Return that there is none."""
    return Interval(None, reason=reason)
