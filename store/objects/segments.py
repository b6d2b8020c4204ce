"""What is appended where files cannot be added to: held back for a moment, then kept as one small object."""

import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import Final
from weakref import WeakSet

from core.errors import StorageFailed

MOST: Final = 256
MOST_BYTES: Final = 1 << 24
"""So many appended pieces, and bytes of them, are held back; from half of that on they are kept unasked."""

logger = logging.getLogger("assay.store")

_all: Final["WeakSet[Pending]"] = WeakSet()
_writers: Final = ThreadPoolExecutor(4, thread_name_prefix="segments")


class Pending:
    """Pieces on their way into segments, which `keep` keeps; whoever appends one too many waits for that."""

    def __init__(self, keep: Callable[[bytes], object]) -> None:
        """Begin with none."""
        self._keep = keep
        self._pieces: list[bytes] = []
        self._bytes = 0
        self._counting = Lock()
        self._keeping = Lock()
        self._is_due = False
        _all.add(self)

    def append(self, data: bytes) -> None:
        """Take a piece. Raises StorageFailed, and does not take it, if too many are held back and cannot be kept."""
        if len(self._pieces) >= MOST or self._bytes >= MOST_BYTES:
            self.sync()
        with self._counting:
            self._pieces.append(data)
            self._bytes += len(data)
        if len(self._pieces) >= MOST // 2 or self._bytes >= MOST_BYTES // 2:
            self.sync_soon()

    def sync_soon(self) -> None:
        """Have all pieces kept beside what the caller does, who may not wait for a store that is away."""
        if self._pieces and not self._is_due:
            self._is_due = True
            _writers.submit(self._sync_if_possible)

    def sync(self) -> None:
        """Keep all pieces in one segment. Raises StorageFailed; they are held back still, and it may be done again."""
        with self._keeping:
            taken = len(self._pieces)
            if taken:
                segment = b"".join(self._pieces[:taken])
                self._keep(segment)
                with self._counting:
                    del self._pieces[:taken]
                    self._bytes -= len(segment)

    def unkept(self) -> bytes:
        """Return the pieces that are held back."""
        return b"".join(self._pieces)

    def _sync_if_possible(self) -> None:
        try:
            self.sync()
        except StorageFailed as error:  # whoever waits for the next hears of it
            logger.warning("%s; %s pieces are held back", error.message, len(self._pieces))
        finally:
            self._is_due = False


def keep_all() -> None:
    """Keep what all of this process hold back, before it ends."""
    for pending in list(_all):
        with suppress(StorageFailed):  # those calls are made again
            pending.sync()


def segment_name() -> str:
    """Return a name for a segment that comes after those there were, and is nobody else's."""
    return f"{time.time_ns() // 1000:016}-{secrets.token_hex(4)}"
