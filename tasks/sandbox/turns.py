"""Whose evaluation has a process next: of the evaluators that wait, the one that has had the least time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

MOST_REMEMBERED: Final = 1_000
"""Evaluators that are remembered while they ask for nothing."""


LINGER_S: Final = 1.0
"""For so long a place is kept from an evaluator that has the others, for one that may ask again."""


@dataclass
class _Account:
    """The seconds that one evaluator has had, when its evaluations that run began, and how many wait."""

    used: float = 0.0
    running: list[float] = field(default_factory=list)
    waiting: int = 0
    seen: float = float("-inf")

    def is_live(self, now: float) -> bool:
        """Whether it runs or waits, or did so a moment ago: then it is about to ask again."""
        return bool(self.running or self.waiting) or now - self.seen < LINGER_S

    def at(self, now: float) -> float:
        return self.used + sum(now - begun for begun in self.running)


@dataclass
class _Ticket:
    account: _Account
    called: threading.Event = field(default_factory=threading.Event)
    begun: float = 0.0


class Turns:
    """At most `places` turns at a time; a slow evaluator takes what the others leave, and not the last place.

    Those of one evaluator are first come, first served. One that asked for nothing has saved up no time.
    """

    def __init__(self, places: int) -> None:
        self._lock = threading.Lock()
        self._free = self._places = places
        self._accounts: dict[str, _Account] = {}
        self._queue: list[_Ticket] = []

    @contextmanager
    def turn(self, key: str) -> Iterator[None]:
        """Wait for a turn of an evaluator, and have it until the context ends."""
        ticket = self._ask(key)
        ticket.called.wait()
        try:
            yield
        finally:
            with self._lock:
                ticket.account.running.remove(ticket.begun)
                ticket.account.used += time.monotonic() - ticket.begun
                ticket.account.seen = time.monotonic()
                self._free += 1
                self._call()

    def _ask(self, key: str) -> _Ticket:
        with self._lock:
            account = self._account(key)
            account.waiting += 1
            account.seen = time.monotonic()
            ticket = _Ticket(account)
            self._queue.append(ticket)
            self._call()
            return ticket

    def _account(self, key: str) -> _Account:
        busy = [each for each in self._accounts.values() if each.running or each.waiting]
        if key not in self._accounts and len(self._accounts) >= MOST_REMEMBERED:
            self._accounts = {name: each for name, each in self._accounts.items() if each.running or each.waiting}
        account = self._accounts.setdefault(key, _Account())
        if busy and not (account.running or account.waiting):
            account.used = max(account.used, min(each.used for each in busy))
        return account

    def _call(self) -> None:
        """Give what is free to those that are next."""
        while self._free:
            now = time.monotonic()
            ready = [each for each in self._queue if self._may_run(each.account, now)]
            if not ready:
                return
            ticket = min(ready, key=lambda each: each.account.at(now))  # the first of equals
            self._queue.remove(ticket)
            self._free -= 1
            ticket.account.waiting -= 1
            ticket.begun = now
            ticket.account.running.append(now)
            ticket.called.set()

    def _may_run(self, account: _Account, now: float) -> bool:
        if len(account.running) < max(1, self._places - 1):
            return True
        return not any(each.is_live(now) for each in self._accounts.values() if each is not account)
