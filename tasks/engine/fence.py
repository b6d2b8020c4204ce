"""What keeps an engine that comes too late from paying and from publishing: its job may be another's by now."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from core.errors import Superseded
from store.db.leases import Lease
from tasks.endpoint.loop import JobStopped
from tasks.engine.calls import Calls, Stopped
from tasks.engine.tenure import Tenure

CLEARED_AFTER_S: Final = 0.1
"""Between two looks whether a lease has been renewed."""


class Fence:
    """Holds up what an engine does under a lease that has lapsed, until it is known whether that is still its own."""

    def __init__(self, calls: Calls, say: Callable[[str], object]) -> None:
        """Begin without a lease, and hold up nothing; by whom the job was taken over is told to `say`."""
        self._calls = calls
        self._say = say
        self.tenure: Tenure | None = None

    @property
    def lease(self) -> Lease | None:
        """The lease that the engine works under, if there is one."""
        return self.tenure.lease if self.tenure else None

    def holds(self) -> bool:
        """Whether the job is still this engine's; the database is asked where its lease has lapsed."""
        if self.tenure is not None:
            with self.giving_way():
                self.tenure.keep()
        return self._calls.stop != "superseded"

    def check(self) -> None:
        """Raise Stopped if the job is another engine's by now; called before something is put in its place."""
        if not self.holds():
            raise Stopped

    async def cleared(self) -> None:
        """Wait, on the I/O loop, until the lease is renewed: before, another engine may be at the same calls.

        Raises JobStopped if the job stops first.
        """
        while self.tenure is not None and self.tenure.lapsed:
            if self._calls.ended:
                raise JobStopped
            await asyncio.sleep(CLEARED_AFTER_S)

    @contextmanager
    def giving_way(self) -> Iterator[None]:
        """Stop if the job turns out to be another engine's."""
        try:
            yield
        except Superseded as error:
            if self._calls.stop != "superseded":
                self._calls.halt("superseded")
                self._say(error.message)
