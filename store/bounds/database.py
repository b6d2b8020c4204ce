"""The texts that processes change together, in the job database; the clock is the database's."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import sqlalchemy as sa

from core.errors import StorageFailed
from store.db.connect import insert_into, writing
from store.db.tables import model_bounds

T = TypeVar("T")

_ROW = sa.select(model_bounds.c.state, sa.func.extract("epoch", sa.func.clock_timestamp()))


@dataclass(frozen=True)
class DatabaseLedger:
    """The texts in the database at `url`; the same one, whoever has opened it."""

    url: str = field(repr=False)
    engine: sa.Engine = field(compare=False, repr=False)

    def change(self, key: str, step: Callable[[str | None, float], tuple[str, T]]) -> T:
        """Put what `step` makes of the text and the time in its place, and return what it says besides."""
        try:
            with writing(self.engine) as connection:
                text, now = self._read(connection, key)
                text, said = step(text, now)
                connection.execute(_putting(connection, key, text))
        except sa.exc.SQLAlchemyError as error:
            raise StorageFailed(f"The job tables cannot be written now: {error}") from error
        return said

    def _read(self, connection: sa.Connection, key: str) -> tuple[str | None, float]:
        """Return the text and the time, which hold until the transaction ends: nobody else has the row."""
        if connection.dialect.name != "postgresql":  # SQLite has one writer, and is on this machine
            found = connection.scalar(sa.select(model_bounds.c.state).where(model_bounds.c.key == key))
            return found, time.time()
        # A death of the server may undo what a lease says: then its processes have lost their connections too.
        connection.execute(sa.text("SET LOCAL synchronous_commit = off"))
        first = insert_into(connection, model_bounds).values(key=key, state="")
        row = None
        while row is None:  # it may be deleted between the two
            connection.execute(first.on_conflict_do_nothing())
            row = connection.execute(_ROW.where(model_bounds.c.key == key).with_for_update()).one_or_none()
        return row[0] or None, float(row[1])


def of_job(job_id: str) -> str:
    """Return the key under which the processes at a job divide its calls; of its models' calls it is the beginning."""
    return f"job {job_id}"


def forget_job(connection: sa.Connection, job_id: str) -> None:
    """Delete what processes have divided of a job that is over: those that were killed have given nothing back."""
    key = of_job(job_id)
    own = sa.or_(model_bounds.c.key == key, model_bounds.c.key.startswith(f"{key} ", autoescape=True))
    connection.execute(sa.delete(model_bounds).where(own))


def _putting(connection: sa.Connection, key: str, text: str) -> sa.Executable:
    if not text:
        return sa.delete(model_bounds).where(model_bounds.c.key == key)
    put = insert_into(connection, model_bounds).values(key=key, state=text)
    return put.on_conflict_do_update(index_elements=["key"], set_={"state": text})
