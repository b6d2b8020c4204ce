"""Wrong keys at the login: the more come from an address, the longer it has to wait before it may try again."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

FREE: Final = 4
"""So many wrong keys are typing errors."""

LONGEST_S: Final = 60.0
FORGOTTEN_S: Final = 900.0
MOST: Final = 10_000
"""Of so many addresses at most something is remembered, those that were heard of last."""


class WrongKeys:
    """What is remembered of addresses from which wrong keys came."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing."""
        self._clock = clock
        self._of: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def add(self, address: str) -> None:
        """Note a wrong key."""
        count = self._count(address) + 1
        self._of[address] = count, self._clock()
        self._of.move_to_end(address)
        if len(self._of) > MOST:
            self._of.popitem(last=False)

    def wait_s(self, address: str) -> float:
        """Return for how long no key from an address is looked at."""
        count = self._count(address)
        if count <= FREE:
            return 0.0
        _, last = self._of[address]
        return max(0.0, last + min(LONGEST_S, 2.0 ** (count - FREE - 1)) - self._clock())

    def _count(self, address: str) -> int:
        count, last = self._of.get(address, (0, 0.0))
        return count if self._clock() - last < FORGOTTEN_S else 0
