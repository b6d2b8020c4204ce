"""End early what comes to nothing but one and the same error: a task's endpoint, or an evaluator."""

import re
from dataclasses import dataclass
from typing import Protocol

IDENTICAL_ERRORS = 5
STOPS_IN_A_ROW = 10

_VARYING = re.compile(r"[0-9a-fA-F]{8,}|\d+")


@dataclass(slots=True)
class Breaker:
    """Opens after `IDENTICAL_ERRORS` identical final errors in a row with no success ever, or with none between.

    The latter are errors that no call comes past any more, such as that an account is empty. Two errors are identical
    if they differ in numbers and ids alone. Errors come from the I/O loop only, a success from any thread: once there
    was one, nothing else that is noted beside it opens the breaker.
    """

    error: str | None = None
    succeeded: bool = False
    _identical: int = 0
    _exhausted: int = 0

    @property
    def open(self) -> bool:
        """Whether no further call is worth its while."""
        if self._exhausted >= IDENTICAL_ERRORS:
            return True
        return self._identical >= IDENTICAL_ERRORS and not self.succeeded

    def success(self) -> None:
        """Take note of an answer: the endpoint works."""
        self.succeeded = True
        self._exhausted = 0

    def failure(self, error: str, *, exhausted: bool = False) -> None:
        """Take note of a final error; with `exhausted`, of one that an answer before it does not belie."""
        same = self.error is not None and _VARYING.sub("#", error) == _VARYING.sub("#", self.error)
        self._identical = self._identical + 1 if same else 1
        self._exhausted = self._exhausted + 1 if exhausted else 0
        self.error = error


@dataclass(slots=True)
class Fuse:
    """Blows for good when one and the same limit has stopped `STOPS_IN_A_ROW` evaluations in a row; `error` says so."""

    error: str | None = None
    _limit: str | None = None
    _stops: int = 0

    def note(self, limit: str | None) -> None:
        """Take note of an evaluation, and of the limit that stopped it, if one did."""
        self._stops = 1 if limit is None or limit != self._limit else self._stops + 1
        self._limit = limit
        if limit is not None and self._stops == STOPS_IN_A_ROW:
            self.error = f"it was stopped {STOPS_IN_A_ROW} times in a row and is run no more: {limit}"


class Watch(Protocol):
    """The job that something is done for: what has come to nothing in it, and whether it is to go on."""

    def fuse(self, task: str, target: str, metric: str) -> Fuse:
        """Return the fuse of a metric's evaluator or templates, for the outputs of one target."""

    def heed(self) -> None:
        """Raise what ends the work if the job is to stop; called before what may take seconds."""


class Unwatched:
    """The watch over what is done where no job can be stopped."""

    def __init__(self) -> None:
        self._fuses: dict[tuple[str, str, str], Fuse] = {}

    def fuse(self, task: str, target: str, metric: str) -> Fuse:
        """Return the fuse of a metric, which lasts as long as the watch."""
        return self._fuses.setdefault((task, target, metric), Fuse())

    def heed(self) -> None:
        """Go on."""
