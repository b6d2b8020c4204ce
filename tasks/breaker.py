"""End a task early when its endpoint answers nothing but one and the same error."""

import re
from dataclasses import dataclass

IDENTICAL_ERRORS = 5

_VARYING = re.compile(r"[0-9a-fA-F]{8,}|\d+")


@dataclass(slots=True)
class Breaker:
    """Opens after `IDENTICAL_ERRORS` identical final errors in a row with no success ever.

    Two errors are identical if they differ in numbers and ids alone. Errors come from the I/O loop only,
    a success from any thread: once there was one, nothing that is noted beside it opens the breaker.
    """

    error: str | None = None
    succeeded: bool = False
    _identical: int = 0

    @property
    def open(self) -> bool:
        """Whether no further call is worth its while."""
        return self._identical >= IDENTICAL_ERRORS and not self.succeeded

    def success(self) -> None:
        """Take note of an answer: the endpoint works."""
        self.succeeded = True

    def failure(self, error: str) -> None:
        """Take note of a final error."""
        same = self.error is not None and _VARYING.sub("#", error) == _VARYING.sub("#", self.error)
        self._identical = self._identical + 1 if same else 1
        self.error = error
