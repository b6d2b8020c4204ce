"""How much of a bound a minute a process may use, and from when; pure, over all processes that share the figures.

What is granted may be used from its start on, for `hold_s`. A grant is refused its start as long as a minute that ends
with it might hold more than the bound: also if a call reaches the endpoint `late_s` after it was begun.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

MINUTE_S: Final = 60.0
HOLD: Final = 1 / 120
LATE: Final = 1 / 60
GRAIN: Final = 1 / 240
"""What begins so close together is counted together, as the later."""

BURST: Final = 1 / 60
"""A rate may be run behind by this much of its time, and catch up at once."""

HASTE: Final = 1.05
"""So much faster than need be is the pace, to make up for longer halts; what a minute holds is bounded anyway."""


class Amount(NamedTuple):
    """Requests, and the tokens that they may take."""

    requests: float = 0
    tokens: float = 0


AHEAD: Final = 1 / 12
"""What begins later than in so much of a minute is not granted yet: others may turn out to take less by then."""


@dataclass(slots=True)
class Meter:
    """What was granted of `bound` a minute: by the grain of time, and until when it keeps its pace."""

    bound: float
    minute_s: float = MINUTE_S
    paid_until: float = 0.0
    spent: dict[int, float] = field(default_factory=dict)

    @property
    def reach_s(self) -> float:
        """For how long a grant counts, from the end of its grain."""
        return self.minute_s * (1 + HOLD + LATE)

    @property
    def pace_s(self) -> float:
        """How long after one unit the next begins."""
        return (self.reach_s + self.minute_s * GRAIN) / self.bound / HASTE

    def grain(self, moment: float) -> int:
        """Return the grain that a moment lies in."""
        return math.floor(moment / (self.minute_s * GRAIN))

    def forget(self, now: float) -> None:
        """Drop what counts no more; and what lies so far ahead that the clock must have been set back."""
        last = self.grain(now + 2 * self.minute_s)
        for grain in [grain for grain in self.spent if self._ends(grain) <= now or grain > last]:
            del self.spent[grain]
        self.paid_until = min(self.paid_until, now + 2 * self.minute_s)

    def earliest(self, moment: float, amount: float) -> float:
        """Return when so much may begin, at `moment` or later."""
        start, total = max(moment, self.paid_until), sum(self.spent.values())
        for grain in sorted(self.spent):
            if total + amount <= self.bound and self._ends(grain) > start:
                break
            start, total = max(start, self._ends(grain)), total - self.spent[grain]
        return start

    def room(self, start: float) -> float:
        """Return how much may begin at `start`."""
        return self.bound - sum(amount for grain, amount in self.spent.items() if self._ends(grain) > start)

    def take(self, start: float, amount: float) -> None:
        """Count what begins at `start`."""
        grain = self.grain(start)
        self.spent[grain] = self.spent.get(grain, 0) + amount
        self.paid_until = max(self.paid_until, start - self.minute_s * BURST) + amount * self.pace_s

    def correct(self, grain: int, by: float) -> None:
        """Count more or less for what began in a grain, as it turned out."""
        if grain in self.spent:
            by = max(by, -self.spent[grain])
            self.spent[grain] += by
            self.paid_until += by * self.pace_s

    def _ends(self, grain: int) -> float:
        return (grain + 1) * self.minute_s * GRAIN + self.reach_s


class Share(NamedTuple):
    """What may begin from `start` on, and the grain that it is counted in."""

    start: float
    amount: Amount
    grain: int


def share_of(meters: "Meters", now: float, wanted: Amount, least: Amount) -> Share:
    """Grant up to `wanted`, from when `least` may begin, or nothing if that is far ahead.

    What is more than a bound by itself counts as all of it.
    """
    least = Amount(*(min(part, meter.bound) for part, meter in zip(least, meters.each, strict=True)))
    start = max(now, meters.last)
    for part, meter in zip(least, meters.each, strict=True):
        meter.forget(now)
        start = meter.earliest(start, part)
    if start - now > meters.requests.minute_s * AHEAD:
        return Share(start, Amount(), meters.requests.grain(start))
    amount = Amount(*_up_to(meters.each, start, wanted, least))
    for part, meter in zip(amount, meters.each, strict=True):
        if math.isfinite(meter.bound):
            meter.take(start, part)
    meters.last = start
    return Share(start, amount, meters.each[0].grain(start))


def _up_to(meters: Iterable[Meter], start: float, wanted: Amount, least: Amount) -> Iterable[float]:
    for meter, most, part in zip(meters, wanted, least, strict=True):
        batch = max(part, math.floor(meter.minute_s * HOLD / meter.pace_s)) if math.isfinite(meter.bound) else most
        yield max(part, min(most, batch, meter.room(start)))


@dataclass(slots=True)
class Meters:
    """The meters of one model, and when the last grant began: none begins before an earlier one."""

    requests: Meter
    tokens: Meter
    last: float = 0.0

    @property
    def each(self) -> tuple[Meter, Meter]:
        """Both, in the order of an amount."""
        return self.requests, self.tokens
