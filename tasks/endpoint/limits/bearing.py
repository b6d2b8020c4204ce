"""What holds up the calls to a model, in words: its bounds, what it bears, and a ledger that cannot be asked."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.endpoint.limits.ledger import UNBOUNDED, Bounds


@dataclass(frozen=True, slots=True)
class Bearing:
    """What a model at an endpoint bears now, infinite before it was ever too much, and what its bounds leave us."""

    place: str
    bears: float = math.inf
    allowed: float = math.inf
    bounds: Bounds = UNBOUNDED
    trouble: str | None = None

    @property
    def now(self) -> str | None:
        """What holds now, if anything does."""
        return f"{self.place}: {', '.join(said)}" if (said := list(self._said())) else None

    def _said(self) -> Iterator[str]:
        bounds = self.bounds
        if self.trouble:
            yield f"none begins, since the bounds cannot be read: {self.trouble}"
            return
        if self.bears < self.allowed:
            yield f"{math.floor(self.bears):,} at a time, since it bore no more"
        elif bounds.concurrency and self.allowed < bounds.concurrency:
            yield f"{math.floor(self.allowed):,} of {bounds.concurrency:,} at a time, the rest in other processes"
        elif bounds.concurrency:
            yield f"{bounds.concurrency:,} at a time"
        if bounds.requests_per_minute:
            yield f"{bounds.requests_per_minute:,g} requests a minute"
        if bounds.tokens_per_minute:
            yield f"{bounds.tokens_per_minute:,g} tokens a minute"


@dataclass(slots=True)
class Told:
    """What a job's log has of a model: each halving once, that it is over, and that bounds cannot be read."""

    least: float = math.inf
    trouble: str | None = None

    def news(self, bearing: Bearing) -> str | None:
        """Return what is new to the log."""
        if bearing.trouble != self.trouble:
            self.trouble = bearing.trouble
            if bearing.trouble:
                return f"no call begins, since its bounds cannot be read: {bearing.trouble}"
            return "its bounds can be read again"
        bears = bearing.bears if math.isinf(bearing.bears) else math.floor(bearing.bears)
        if bears < self.least:
            self.least = bears
            return f"{bears:,} calls at a time from now on, since it was asked too often or answered too late"
        if math.isinf(bears) and bears > self.least:
            self.least = bears
            return "as many calls at a time as before"
        return None
