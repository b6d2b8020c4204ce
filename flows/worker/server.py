"""Prefect's server as `assay serve` runs it: `python -m flows.worker.server FD`.

It serves on a socket that listens already, and lets SQLite's writers wait for their turn.
"""

import asyncio
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final, Self
from weakref import WeakSet

from prefect.server.api.server import create_app
from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration
from sqlalchemy import Engine, ExceptionContext, event
from sqlalchemy.exc import OperationalError

import flows.worker.worker  # noqa: F401 - Prefect loads it too, at a moment when it looks in the working directory first
from core.door import Door
from core.settings import ending_if_misconfigured, read_settings
from flows.serving import serve
from flows.worker.events import keep_what_matters, record_despite_others
from flows.worker.tuning import collect_seldom

WAIT_S: Final = 60.0  # as long as Prefect lets SQLite wait
PRIMARY_CODE: Final = 0xFF
"""The bits of SQLite's codes that say the kind of an error."""


class Turns:
    """Who may write to the database of this process: one task after the other, first come, first served."""

    def __init__(self, wait_s: float = WAIT_S) -> None:
        """Begin with nobody's turn; who has waited for `wait_s` is refused as SQLite would."""
        self._wait_s = wait_s
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[Any] | None = None
        self._connection: Any = None

    @asynccontextmanager
    async def begin(self, session: Any, with_for_update: bool = False) -> AsyncIterator[Any]:
        """Begin a transaction of a session once it is its turn, and only then take a connection.

        A transaction that begins within another of its task is a part of that one, since it would wait for it forever.
        """
        if self._task is asyncio.current_task():
            session.sync_session.bind = self._connection.sync_connection
            session.sync_session.join_transaction_mode = "create_savepoint"
            async with session.begin() as transaction:
                yield transaction
            return
        await self._wait()
        try:
            async with session.begin() as transaction:
                self._connection = await _write_locked(session)
                self._task = asyncio.current_task()
                yield transaction
        finally:
            self._task = self._connection = None
            self._lock.release()

    async def _wait(self) -> None:
        """Wait for one's turn; Prefect answers 503 to what is raised, and its client asks again."""
        try:
            async with asyncio.timeout(self._wait_s):
                await self._lock.acquire()
        except TimeoutError:
            refused = sqlite3.OperationalError("database is locked")
            raise OperationalError("BEGIN IMMEDIATE", None, refused) from None


async def _write_locked(session: Any) -> Any:
    """Return a connection of the session that holds SQLite's write lock.

    The mode is set for this one BEGIN only: a task or a second session that comes out of the transaction would
    otherwise take the lock for mere reading.
    """
    token = SQLITE_BEGIN_MODE.set("IMMEDIATE")
    try:
        return await session.connection()
    finally:
        SQLITE_BEGIN_MODE.reset(token)


class _Cursor(sqlite3.Cursor):
    """A cursor that lets go of a statement which failed.

    SQLAlchemy leaves it to the garbage, which resets it in the event loop. That waits for whatever the connection is at
    by then: if this waits for a lock whose holder the loop should go on with, all stand still.
    """

    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        """Execute a statement; raises what that does, and is closed then."""
        with self._closing_if_it_fails():
            return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> Self:
        """Execute a statement with one set of parameters after the other, as `execute` does."""
        with self._closing_if_it_fails():
            return super().executemany(sql, parameters)

    @contextmanager
    def _closing_if_it_fails(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error:
            self.close()
            raise


class Yielding(sqlite3.Connection):
    """A connection that gives back what it holds: a statement that fails at once, the write lock when it is closed.

    SQLite puts the latter off until the last statement of the connection is gone. That of a cancelled task goes with
    the garbage, after any time: until then nobody writes, and nothing shows who is in the way.
    """

    def __init__(self, *args: Any, **parameters: Any) -> None:
        """Open it, as the class above does."""
        super().__init__(*args, **parameters)
        self._cursors = WeakSet[sqlite3.Cursor]()

    def cursor(self, factory: Any = _Cursor) -> Any:
        """Return a cursor, which is closed with the connection."""
        cursor = super().cursor(factory)
        self._cursors.add(cursor)
        return cursor

    def close(self) -> None:
        """End all statements, roll back, then close."""
        with suppress(sqlite3.Error):  # closed already
            for cursor in list(self._cursors):
                cursor.close()
            self.rollback()
        super().close()


def _yield_when_closed(dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
    """Have a new connection to SQLite be one that yields."""
    if dialect.name == "sqlite":
        parameters["factory"] = Yielding


def _drop_if_read_only(context: ExceptionContext) -> None:
    """Have connections opened anew once one cannot write.

    SQLite opens for reading alone a file that cannot be written to at that moment, and the connection stays so.
    """
    code = getattr(context.original_exception, "sqlite_errorcode", 0)
    if code & PRIMARY_CODE == sqlite3.SQLITE_READONLY:
        context.is_disconnect = True


def take_turns() -> None:
    """Let every transaction of Prefect's on SQLite begin in its turn, by taking the write lock.

    As Prefect has it, a transaction that reads first and then writes is refused at once if another
    has written in between, and its request fails with 503: fifteen flow runs took 20 s to create
    beside a worker that polls, and take half a second with turns. See docs/decisions/004.
    """
    AioSqliteConfiguration.begin_transaction = Turns().begin  # type: ignore[assignment, method-assign]
    event.listen(Engine, "do_connect", _yield_when_closed)
    event.listen(Engine, "handle_error", _drop_if_read_only)


class OwnPages:
    """Refuse requests and sockets of other sites' pages, and of names that are not the server's."""

    def __init__(self, app: Any, door: Door) -> None:
        """Stand before an application."""
        self._app, self._door = app, door

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on a request that is let in; a socket that is not is never opened."""
        asks = scope["type"] in ("http", "websocket")
        if not asks or not (refusal := self._door.refusal(scope["headers"], scope.get("method", ""))):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": refusal.encode()})


def main() -> None:
    """Serve on the socket whose descriptor is the first argument."""
    with ending_if_misconfigured():
        door = read_settings().door
    take_turns()
    keep_what_matters()
    record_despite_others()
    listener = socket.socket(fileno=int(sys.argv[1]))
    app = create_app(final=True)
    collect_seldom()
    serve(OwnPages(app, door), [listener])


if __name__ == "__main__":
    main()
