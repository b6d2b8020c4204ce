"""Who works on a job, by a lease that ends unless it is renewed, however far apart the machines are.

All times are the database's: no machine's clock is held against another's. Each taking has a higher epoch than the one
before, so that what a former holder writes is known as such. A lease is of a whole job, or of one `block` of it.
"""

import os
import platform
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from core.errors import NotFound, Superseded
from store.db.connect import insert_into, reading, writing
from store.db.tables import job_leases, jobs

LEASE_S: Final = 10.0
"""After so long without a renewal a lease is another's to take."""

GIVEN_BACK: Final = 0.0
"""Until when a lease holds that its holder let go, or that nobody has had."""

WHOLE: Final = ""
"""The block of a lease that is of the whole job."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job, or on a block of it, as long as it is renewed and nobody has taken it since."""

    job_id: str
    epoch: int
    holder: str
    block: str = WHOLE


@dataclass(frozen=True, slots=True)
class Taken:
    """What is known of a lease that another holds, and for how long it holds without a renewal."""

    holder: str
    epoch: int
    left_s: float


class Leases:
    """The leases of a database. Each method is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def take(self, job_id: str, holder: str, *, block: str = WHOLE, lock: str | None = None) -> Lease | Taken:
        """Take a lease that nobody holds, or return who holds it.

        `lock` names the file lock that the taker holds besides: whoever held it when the lease was last taken has let
        it go, and is waited for no longer. Raises NotFound if the job is gone.
        """
        with writing(self._engine) as connection:
            row = _row(connection, job_id, block)
            left_s = row.until - row.now
            if left_s > 0 and (lock is None or lock != row.lock):
                return Taken(row.holder, row.epoch, left_s)
            lease = Lease(job_id, row.epoch + 1, holder, block)
            until = database_time() + LEASE_S
            taking = sa.update(job_leases).where(*_of(job_id, block))
            connection.execute(taking.values(epoch=lease.epoch, holder=holder, lock=lock, until=until))
        return lease

    def renew(self, lease: Lease) -> float:
        """Hold a lease for longer, and return for how long; raises Superseded if it is another's by now."""
        with writing(self._engine) as connection:
            return renew(connection, lease)

    def left_s(self, lease: Lease) -> float | None:
        """Return for how long a lease holds without a renewal, below 0 after its end; None if it was given back.

        Raises Superseded if it is another's by now.
        """
        found = sa.select(job_leases.c.until, database_time().label("now")).where(*_own(lease))
        with reading(self._engine) as connection:
            row = connection.execute(found).one_or_none()
            if row is None:
                raise _superseded(connection, lease)
        return row.until - row.now if row.until != GIVEN_BACK else None

    def give_back(self, lease: Lease) -> None:
        """Let others take a lease at once, if it is still one's own."""
        with writing(self._engine) as connection:
            connection.execute(sa.update(job_leases).where(*_own(lease)).values(until=GIVEN_BACK))

    def held(self, job_ids: Collection[str], *, block: str = WHOLE) -> dict[str, Taken]:
        """Return by whom those of the jobs are held that are."""
        time = database_time()
        found = sa.select(job_leases, (job_leases.c.until - time).label("left_s")).where(
            job_leases.c.job_id.in_(job_ids), job_leases.c.block == block, job_leases.c.until > time
        )
        with reading(self._engine) as connection:
            return {row.job_id: Taken(row.holder, row.epoch, row.left_s) for row in connection.execute(found)}

    def blocks(self, job_id: str) -> dict[int, str | None]:
        """Return the blocks of a job that somebody holds, and the lock that each was taken with."""
        leases = sa.select(job_leases.c.block, job_leases.c.lock).where(
            job_leases.c.job_id == job_id, job_leases.c.block != WHOLE, job_leases.c.until > database_time()
        )
        with reading(self._engine) as connection:
            return {int(row.block): row.lock for row in connection.execute(leases)}

    def is_held(self, job_id: str, *, lock: str | None = None, block: str = WHOLE) -> bool:
        """Whether somebody holds a lease; one that was taken with `lock`, which is free, is held by nobody."""
        held = sa.select(job_leases.c.lock).where(*_of(job_id, block), job_leases.c.until > database_time())
        with reading(self._engine) as connection:
            row = connection.execute(held).one_or_none()
        return row is not None and (lock is None or row.lock != lock)


def renew(connection: sa.Connection, lease: Lease) -> float:
    """Hold a lease for longer in a transaction of the caller's, and return for how long.

    One that has ended and that nobody has taken since goes on. Raises Superseded if it is another's by now.
    """
    renewal = sa.update(job_leases).where(*_own(lease)).values(until=database_time() + LEASE_S)
    if not connection.execute(renewal).rowcount:
        raise _superseded(connection, lease)
    return LEASE_S


def lock_name(file: Path) -> str | None:
    """Return what a file lock is called by all processes that see it as this one does; None if there is no such file.

    That is the file as the kernel knows it: machines that share a folder may not share its locks.
    """
    try:
        stat = file.stat()
    except FileNotFoundError:
        return None
    return f"{_kernel()}:{stat.st_dev}:{stat.st_ino}"


def _kernel() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"{platform.node()}:{os.uname().sysname}"


class database_time(sa.sql.functions.FunctionElement[float]):  # noqa: N801 - it is called like a function of SQL
    """Seconds since 1970 by the clock of the database, at the moment of the statement."""

    type = sa.Double()
    inherit_cache = True


@compiles(database_time, "sqlite")
def _on_sqlite(_element: Any, _compiler: Any, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_time, "postgresql")
def _on_postgres(_element: Any, _compiler: Any, **_: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"


def _row(connection: sa.Connection, job_id: str, block: str) -> sa.Row[Any]:
    """Return the row of a lease, made if there is none, locked until the end of the transaction."""
    found = sa.select(job_leases, database_time().label("now")).where(*_of(job_id, block)).with_for_update()
    if (row := connection.execute(found).one_or_none()) is not None:
        return row
    known = sa.select(jobs.c.id).where(jobs.c.id == job_id).with_for_update(read=True, key_share=True)
    if connection.execute(known).one_or_none() is None:
        raise NotFound("Job not found")
    new = {"job_id": job_id, "block": block, "epoch": 0, "holder": "", "until": GIVEN_BACK}
    connection.execute(insert_into(connection, job_leases).values(new).on_conflict_do_nothing())
    return connection.execute(found).one()


def _superseded(connection: sa.Connection, lease: Lease) -> Superseded:
    row = connection.execute(sa.select(job_leases).where(*_of(lease.job_id, lease.block))).one_or_none()
    by = f"{row.holder} (epoch {row.epoch})" if row is not None else "another engine"
    own = f"{lease.holder} (epoch {lease.epoch})"
    return Superseded(f"{by} has taken the job over while {own} was not heard of, which stops")


def _of(job_id: str, block: str) -> tuple[sa.ColumnElement[bool], ...]:
    return job_leases.c.job_id == job_id, job_leases.c.block == block


def _own(lease: Lease) -> tuple[sa.ColumnElement[bool], ...]:
    return (*_of(lease.job_id, lease.block), job_leases.c.epoch == lease.epoch)
