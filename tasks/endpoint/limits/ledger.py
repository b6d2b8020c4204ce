"""What all processes know of one model: who has how many calls, and what was begun in the last minute.

It is one text for each model, which a ledger lets processes change one at a time, by one clock.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from tasks.endpoint.limits.rates import MINUTE_S, Amount, Meter, Meters, share_of
from tasks.endpoint.limits.slots import Holder, leased

T = TypeVar("T")

NOTHING: Final = Amount()


class Ledger(Protocol):
    """Keeps a text by its key for all processes. Raises OSError or StorageFailed while it cannot be asked."""

    def change(self, key: str, step: Callable[[str | None, float], tuple[str, T]]) -> T:
        """Put what `step` makes of the text and of the ledger's time in its place, and return what it says besides.

        An empty text is none. Nobody changes the text in between; a step may be taken several times for that.
        """


@dataclass(frozen=True)
class Bounds:
    """What a model allows over all processes; None is no bound."""

    concurrency: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    minute_s: float = MINUTE_S

    @property
    def paces(self) -> bool:
        """Whether there is a bound of a minute."""
        return bool(self.requests_per_minute or self.tokens_per_minute)


UNBOUNDED: Final = Bounds()


@dataclass(frozen=True, slots=True)
class Ask:
    """What a process has and wants: calls at a time, and what it is to begin next, `least` of it at once.

    `corrections` say what earlier grants came to, by their grain.
    """

    holder: str
    in_use: int = 0
    wanted: int = 0
    begin: Amount = NOTHING
    least: Amount = NOTHING
    corrections: dict[int, Amount] = field(default_factory=dict)


class Grant(NamedTuple):
    """How many calls at a time a process may have, for as long as a lease, and what it may begin in `start_in_s`.

    Nothing, if that is too far ahead to be given away: then it may ask again.
    """

    calls: float
    begin: Amount
    start_in_s: float
    grain: int


def step(text: str | None, now: float, *, bounds: Bounds, ask: Ask) -> tuple[str, Grant]:
    """Return the ledger's text after a process has asked, and what it is granted; none if there is nothing to keep."""
    state: dict[str, Any] = json.loads(text) if text else {}
    holders = {name: Holder(**each) for name, each in state.get("holders", {}).items()}
    meters = Meters(
        _meter(state.get("requests"), bounds.requests_per_minute, bounds.minute_s),
        _meter(state.get("tokens"), bounds.tokens_per_minute, bounds.minute_s),
        min(state.get("last", 0.0), now + 2 * bounds.minute_s),
    )
    calls: float = math.inf
    if bounds.concurrency is not None:
        holders, calls = leased(holders, bounds.concurrency, ask.holder, in_use=ask.in_use, wanted=ask.wanted, now=now)
    for grain, by in ask.corrections.items():
        for meter, part in zip(meters.each, by, strict=True):
            meter.correct(grain, part)
    begin, start, grain = NOTHING, now, 0
    if bounds.paces and ask.begin != NOTHING:
        start, begin, grain = share_of(meters, now, ask.begin, ask.least)
    grant = Grant(calls, begin, start - now, grain)
    if not (holders or bounds.paces):
        return "", grant
    state = {
        "holders": {name: asdict(each) for name, each in holders.items()},
        "last": meters.last,
        "requests": _kept(meters.requests),
        "tokens": _kept(meters.tokens),
    }
    return json.dumps(state, separators=(",", ":")), grant


def _meter(kept: dict[str, Any] | None, bound: float | None, minute_s: float) -> Meter:
    kept = kept or {"paid": 0.0, "spent": {}}
    spent = {int(grain): amount for grain, amount in kept["spent"].items()}
    return Meter(bound or math.inf, minute_s, kept["paid"], spent)


def _kept(meter: Meter) -> dict[str, Any] | None:
    return {"paid": meter.paid_until, "spent": meter.spent} if math.isfinite(meter.bound) else None
