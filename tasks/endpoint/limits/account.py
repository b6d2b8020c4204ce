"""A process's part in the bounds of a model: what it has been granted so far, and asks for before it runs out."""

import asyncio
import logging
import math
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from core.errors import StorageFailed
from tasks.endpoint.limits.ledger import NOTHING, Ask, Bounds, Grant, Ledger, step
from tasks.endpoint.limits.rates import HOLD, Amount
from tasks.endpoint.limits.slots import LEASE_S

logger = logging.getLogger("assay.endpoint")

TICK_S: Final = 0.25
"""How soon a process hears that others have given back calls, or want some."""

AGAIN_S: Final = 1.0
"""After the ledger could not be asked."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a model's calls take up now: in flight, able to begin, and in flight to be sent `again`.

    Of those that are to be sent the one with the most tokens has `tokens`. None begins while the model is `paused`.
    """

    in_flight: int
    waiting: int
    again: int
    tokens: int
    paused: bool

    @property
    def is_idle(self) -> bool:
        """Whether there is no call."""
        return not (self.in_flight or self.waiting)


@dataclass(slots=True)
class Batch:
    """What may be begun between two moments, counted in a grain of the ledger's."""

    left: Amount = NOTHING
    opens: float = 0.0
    closes: float = 0.0
    grain: int = 0
    size: float = 0


@dataclass(slots=True, eq=False)
class Account:
    """The part of this process; for use on one event loop. `demand` is asked, and `changed` told of every grant."""

    key: str
    bounds: Bounds
    ledger: Ledger | None
    demand: Callable[[], Demand]
    changed: Callable[[], None]
    trouble: str | None = None
    holder: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    calls: float = 0
    _until: float = 0.0
    _batch: Batch = field(default_factory=Batch)
    _corrections: dict[int, Amount] = field(default_factory=dict)
    _alone: str | None = None
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _task: "asyncio.Task[None] | None" = None

    def __post_init__(self) -> None:
        """Have all calls at once where there is nobody to share them with."""
        if self.ledger is None or self.bounds.concurrency is None:
            self.calls = math.inf if self.bounds.concurrency is None else self.bounds.concurrency
            self._until = math.inf

    def has_room(self, in_flight: int, tokens: int) -> bool:
        """Tell whether a call may begin now that takes so many tokens; if not, see to it that one may later on."""
        now = asyncio.get_running_loop().time()
        has_call = in_flight < self.calls and now < self._until
        if has_call and (not self.bounds.paces or self._may_begin(now, tokens)):
            return True
        self._ask(soon=has_call and self._batch.opens <= now)
        return False

    def spend(self, tokens: int) -> int:
        """Count a call that begins, and return the grain in which."""
        if self.bounds.paces:
            left = self._batch.left
            self._batch.left = Amount(left.requests - 1, left.tokens - self._weight(tokens))
        self._ask(soon=False)
        return self._batch.grain

    def settle(self, grain: int, tokens: int, used: int) -> None:
        """Count what a call took in the end."""
        if self.bounds.tokens_per_minute and used != tokens:
            self._correct(grain, Amount(0, used - self._weight(tokens)))

    @property
    def opens(self) -> float:
        """When the next call may begin, in the loop's time, as far as is known."""
        return self._batch.opens

    def _may_begin(self, now: float, tokens: int) -> bool:
        batch = self._batch
        enough = batch.left.requests >= 1 and batch.left.tokens >= self._weight(tokens)
        return enough and batch.opens <= now < batch.closes

    def _weight(self, tokens: int) -> float:
        """Return as what a call counts: one that is above the bound by itself as all of it."""
        return min(tokens, self.bounds.tokens_per_minute) if self.bounds.tokens_per_minute else 0

    def _correct(self, grain: int, by: Amount) -> None:
        before = self._corrections.get(grain, NOTHING)
        self._corrections[grain] = Amount(before.requests + by.requests, before.tokens + by.tokens)

    def _ask(self, *, soon: bool) -> None:
        if self.ledger is None and not self.bounds.paces:
            return
        if soon:
            self._wake.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep_asking())

    async def _keep_asking(self) -> None:
        """Ask as long as there are calls, when one needs it and every `TICK_S`; in the end give everything back."""
        try:
            while True:
                ask = self._next()
                await self._exchange(ask)
                if not (ask.in_use or ask.wanted) and not self._corrections and self.demand().is_idle:
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S):
                        await self._wake.wait()
        finally:
            self._task = None

    def _next(self) -> Ask:
        """Return what is needed now; what is left of a batch that is over, or too small, is given back."""
        demand, now = self.demand(), asyncio.get_running_loop().time()
        needs_batch = self._needs_batch(demand, now)
        begin = least = NOTHING
        if needs_batch or demand.is_idle or now >= self._batch.closes:
            size = self._give_back(now)
            if needs_batch:
                least = Amount(1, self._weight(demand.tokens))
                count = max(self._sendable(demand), size)
                begin = Amount(count, count * least.tokens)
        corrections, self._corrections = self._corrections, {}
        return Ask(self.holder, demand.in_flight, demand.in_flight + demand.waiting, begin, least, corrections)

    def _sendable(self, demand: Demand) -> float:
        return demand.again + max(0, min(demand.waiting, self.calls - demand.in_flight))

    def _needs_batch(self, demand: Demand, now: float) -> bool:
        if not self.bounds.paces or demand.paused or not self._sendable(demand):
            return False
        if self._batch.opens > now:  # what calls took in the end may let the next begin earlier
            return self._batch.left == NOTHING and bool(self._corrections)
        return not self._may_begin(now, demand.tokens)

    def _give_back(self, now: float) -> float:
        """Give back what is left of the batch, and return how many calls the next should have: more, if it ran out."""
        batch, left = self._batch, self._batch.left
        if left != NOTHING:
            self._correct(batch.grain, Amount(-left.requests, -left.tokens))
        self._batch = Batch()
        used = batch.size - left.requests
        return 2 * used if now < batch.closes else used

    async def _exchange(self, ask: Ask) -> None:
        clock = asyncio.get_running_loop().time
        sent = clock()
        change = partial(step, bounds=self.bounds, ask=ask)
        try:
            if self.ledger is None:
                self._alone, grant = change(self._alone, time.monotonic())
            else:
                grant = await asyncio.to_thread(self.ledger.change, self.key, change)
        except (OSError, StorageFailed) as error:
            self._failed(ask, error)
            await asyncio.sleep(AGAIN_S)
            return
        self.trouble = None
        self._wake.clear()
        self._take(ask, grant, sent, clock())

    def _failed(self, ask: Ask, error: Exception) -> None:
        """Keep what was to be said for the next time."""
        for grain, by in ask.corrections.items():
            self._correct(grain, by)
        if self.trouble is None:
            logger.warning("The bounds of %s cannot be kept for now, and no call begins: %s", self.key, error)
        self.trouble = str(error)

    def _take(self, ask: Ask, grant: Grant, sent: float, received: float) -> None:
        if self.ledger is not None and self.bounds.concurrency is not None:
            self.calls, self._until = grant.calls, sent + LEASE_S
        if ask.begin != NOTHING:
            closes = sent + grant.start_in_s + self.bounds.minute_s * HOLD
            self._batch = Batch(grant.begin, received + grant.start_in_s, closes, grant.grain, grant.begin.requests)
        self.changed()
