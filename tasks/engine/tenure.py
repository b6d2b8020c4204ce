"""A lease as the engine that works under it knows it: by a clock of its own, which asks nobody."""

import time
from collections.abc import Callable
from typing import Final

from core.errors import NotFound
from store.db.leases import LEASE_S, Lease, Taken
from store.workspace import Workspace

MARGIN_S: Final = 1.0
"""So long before its end an engine no longer counts on a lease: what it does next takes time."""


def awake_s() -> float:
    """Return seconds of a clock that goes on while a process is stopped, or the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Tenure:
    """For how long an engine may go on without asking whether the lease is still its own."""

    def __init__(
        self, lease: Lease, ask: Callable[[Lease], float | None], asked_at: float, left_s: float = LEASE_S
    ) -> None:
        """Begin with a lease that held for `left_s` when it was asked for.

        `ask` says how long it holds from now on, or that it was given back.
        """
        self.lease = lease
        self.given_back = False
        """Whether who renewed the lease had let it go when it was last asked for."""
        self._ask = ask
        self.renewed(asked_at, left_s)

    def renewed(self, asked_at: float, left_s: float = LEASE_S) -> None:
        """Take note of a renewal; it holds from before it was asked for, however long the answer took."""
        self._until = asked_at + left_s - MARGIN_S

    @property
    def lapsed(self) -> bool:
        """Whether another engine may have taken the job over: the lease was not renewed for that long."""
        return awake_s() >= self._until

    def keep(self) -> None:
        """Ask for the lease if it has lapsed; raises Superseded if it is another's by now."""
        if self.lapsed:
            self.ask()

    def ask(self) -> None:
        """Ask for the lease; raises Superseded if it is another's by now."""
        asked_at, left_s = awake_s(), self._ask(self.lease)
        self.given_back = left_s is None
        self.renewed(asked_at, left_s or 0.0)


def take(workspace: Workspace, job_id: str, holder: str, block: int | None = None) -> Tenure | Taken | None:
    """Take the lease of a job whose folder is held, or of a block whose lock is, or return who has it.

    There is none of a job that is gone.
    """
    asked_at, leases, lock = awake_s(), workspace.leases, workspace.folder(job_id).lock
    try:
        if block is None:
            taken = leases.take(job_id, holder, lock=lock.name)
        else:
            taken = leases.take(job_id, holder, block=str(block), lock=lock.name_of(block))
    except NotFound:
        return None
    return Tenure(taken, leases.renew, asked_at) if isinstance(taken, Lease) else taken


def visited(workspace: Workspace, lease: Lease) -> Tenure:
    """Return the tenure of an engine that works under a lease which another one renews, asked for at once."""
    return Tenure(lease, workspace.leases.left_s, awake_s(), 0.0)
