"""How many calls at a time a model bears: halved when it is too many, one more for each round that went well.

The increase and decrease of TCP (Chiu and Jain 1989, RFC 5681): processes that share an endpoint come to even shares
without a word between them.
"""

import math
from dataclasses import dataclass
from typing import Final

FORGIVEN: Final = 20
"""Of so many answers one may be too late by chance."""


@dataclass(slots=True)
class Congestion:
    """What one model bears; infinite before it was ever too much. A call is of the `round` in which it began."""

    limit: float = math.inf
    round: int = 0
    peak: int = 0
    _lateness: float = 0.0

    def asked_too_often(self, began: int, in_flight: int) -> None:
        """Halve, unless the call began before the last time."""
        if began == self.round:
            self._halve(in_flight)

    def late(self, began: int, in_flight: int) -> None:
        """Halve at the second answer that is too late among twenty."""
        self._lateness += 1
        if self._lateness > 1 and began == self.round:
            self._halve(in_flight)

    def answered(self, began: int, in_flight: int) -> None:
        """Take note of an answer in time: with as many of them as may be in flight there may be one more."""
        self._lateness = max(0.0, self._lateness - 1 / FORGIVEN)
        if began != self.round or self.limit == math.inf or 2 * in_flight < self.limit:
            return
        self.limit += 1 / self.limit
        if self.limit >= self.peak:
            self.limit = math.inf

    def _halve(self, in_flight: int) -> None:
        before = min(self.limit, in_flight)
        self.peak = in_flight if self.limit == math.inf else self.peak
        self.limit = float(max(1, before // 2))
        self.round += 1
        self._lateness = 0.0
