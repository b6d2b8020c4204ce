"""The sessions of browsers that were ended before their time: their cookies open nothing any more."""

from datetime import datetime

import sqlalchemy as sa

from core.job import utcnow
from store.db.connect import insert_into, reading, writing
from store.db.tables import ended_sessions


class EndedSessions:
    """The ended sessions of a database, by their ids. Each method is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, session: str, expires_at: datetime) -> None:
        """End a session, and forget those that would have expired by now."""
        with writing(self._engine) as connection:
            connection.execute(sa.delete(ended_sessions).where(ended_sessions.c.expires_at < utcnow()))
            values = {"id": session, "expires_at": expires_at}
            connection.execute(insert_into(connection, ended_sessions).values(values).on_conflict_do_nothing())

    def __contains__(self, session: object) -> bool:
        """Tell whether a session was ended."""
        found = sa.select(ended_sessions.c.id).where(ended_sessions.c.id == session)
        with reading(self._engine) as connection:
            return connection.scalar(found) is not None
