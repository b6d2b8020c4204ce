"""Transactions of Prefect's on a real SQLite file: they take turns, and none is left in the way of the others."""

import asyncio
import gc
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from core.settings import Settings
from flows.worker import server
from tests.conftest import read_only

Body = Callable[["Database"], Awaitable[None]]
Run = Callable[[Body], None]
MANY = 30  # more than Prefect's pool has connections


class Database:
    """A database as Prefect's server opens its own, with one table."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._configuration = AioSqliteConfiguration(f"sqlite+aiosqlite:///{path}")

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        async with await self._configuration.session(await self._configuration.engine()) as session:
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        async with self.session() as session, self._configuration.begin_transaction(session):
            yield session

    async def write(self, number: int) -> None:
        async with self.transaction() as session:
            await session.execute(text(f"INSERT INTO written VALUES ({number})"))

    async def written(self) -> list[int]:
        async with self.session() as session:
            return list(await session.scalars(text("SELECT number FROM written ORDER BY rowid")))

    def is_free(self) -> bool:
        """Whether somebody else could write at this moment."""
        other = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        finally:
            other.close()
        return True


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run something with a database of a server that takes turns."""
    monkeypatch.setattr(AioSqliteConfiguration, "begin_transaction", AioSqliteConfiguration.begin_transaction)
    server.take_turns()

    async def with_database(body: Body) -> None:
        path = tmp_path / "prefect.db"
        sqlite3.connect(path).execute("CREATE TABLE written (number)").connection.close()
        await body(Database(path))

    return lambda body: asyncio.run(with_database(body))


def test_those_who_wait_for_their_turn_keep_nobody_from_reading(run: Run) -> None:
    async def body(database: Database) -> None:
        async with database.transaction():
            waiting = [asyncio.create_task(database.write(number)) for number in range(MANY)]
            await asyncio.sleep(0)  # each is on its way
            assert await database.written() == []  # though all wait
        await asyncio.gather(*waiting)

    run(body)


def test_turns_come_in_the_order_in_which_they_were_asked_for(run: Run) -> None:
    async def body(database: Database) -> None:
        await asyncio.gather(*(database.write(number) for number in range(MANY)))
        assert await database.written() == list(range(MANY))

    run(body)


def test_a_transaction_within_another_of_its_task_is_a_part_of_it(run: Run) -> None:
    async def body(database: Database) -> None:
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO written VALUES (1)"))
            await database.write(2)
            with suppress(ZeroDivisionError):
                async with database.transaction() as inner:
                    await inner.execute(text("INSERT INTO written VALUES (3)"))
                    raise ZeroDivisionError
            await database.write(4)
        assert await database.written() == [1, 2, 4]
        with suppress(ZeroDivisionError):
            async with database.transaction():
                await database.write(5)
                raise ZeroDivisionError
        assert await database.written() == [1, 2, 4]

    run(body)


def test_a_transaction_that_waits_for_a_task_that_waits_for_it_is_freed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AioSqliteConfiguration, "begin_transaction", server.Turns(wait_s=0.01).begin)

    async def body(database: Database) -> None:
        async with database.transaction() as session:
            with pytest.raises(OperationalError, match="database is locked"):
                await asyncio.create_task(database.write(1))
            await session.execute(text("INSERT INTO written VALUES (2)"))
        await database.write(3)
        assert await database.written() == [2, 3]

    run(body)


@pytest.mark.parametrize("cancels", [1, 2])
def test_a_transaction_that_is_cancelled_amid_a_statement_gives_the_lock_back(run: Run, cancels: int) -> None:
    async def body(database: Database) -> None:
        is_at_it, goes_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def hold_up() -> int:
            loop.call_soon_threadsafe(is_at_it.set)
            goes_on.wait()
            return 1

        async def held_up() -> None:
            async with database.transaction() as session:
                raw: Any = await (await session.connection()).get_raw_connection()
                await raw.driver_connection.create_function("hold_up", 0, hold_up)
                await session.execute(text("SELECT hold_up() UNION ALL SELECT 2"))

        task = asyncio.create_task(held_up())
        await is_at_it.wait()
        for _ in range(cancels):
            task.cancel()
            await asyncio.sleep(0)
        goes_on.set()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError)
        await database.write(1)
        assert await database.written() == [1]
        assert database.is_free()

    run(body)


def test_a_statement_that_failed_holds_nobody_up_once_it_is_forgotten(run: Run) -> None:
    async def body(database: Database) -> None:
        loop, is_at_it = asyncio.get_running_loop(), asyncio.Event()

        async def write(number: int) -> None:
            """Write without a transaction, as Prefect's recorder of task runs does."""
            async with database.session() as session:
                raw: Any = await (await session.connection()).get_raw_connection()
                await raw.driver_connection.set_trace_callback(lambda _: loop.call_soon_threadsafe(is_at_it.set))
                await session.execute(text("INSERT INTO once VALUES (:number)"), {"number": number})

        async with database.transaction() as session:
            await session.execute(text("CREATE TABLE once (number UNIQUE)"))
        await write(1)
        with pytest.raises(IntegrityError) as failed:
            await write(1)
        async with database.transaction():
            is_at_it.clear()
            waiting = asyncio.create_task(write(2))  # by the same connection
            await is_at_it.wait()
            del failed
            gc.collect()
        await waiting
        async with database.session() as session:
            assert list(await session.scalars(text("SELECT number FROM once"))) == [1, 2]

    run(body)


@pytest.mark.parametrize(("method", "parameters"), [("execute", (1,)), ("executemany", [(2,), (1,)])])
def test_a_cursor_whose_statement_fails_is_closed(method: str, parameters: object) -> None:
    connection = sqlite3.connect(":memory:", factory=server.Yielding)
    connection.execute("CREATE TABLE once (number UNIQUE)")
    connection.execute("INSERT INTO once VALUES (1)")
    cursor = connection.cursor()
    with pytest.raises(sqlite3.IntegrityError):
        getattr(cursor, method)("INSERT INTO once VALUES (?)", parameters)
    with pytest.raises(sqlite3.ProgrammingError, match="closed cursor"):
        cursor.execute("SELECT 1")
    connection.close()


def test_a_connection_that_is_closed_amid_the_rows_of_a_statement_gives_the_lock_back(tmp_path: Path) -> None:
    path = tmp_path / "prefect.db"
    writing, other = (sqlite3.connect(path, timeout=0, isolation_level=None, factory=server.Yielding) for _ in range(2))
    writing.execute("CREATE TABLE written (number)")
    cursor = writing.cursor().execute("INSERT INTO written VALUES (1), (2) RETURNING number")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("INSERT INTO written VALUES (3)")
    writing.close()
    other.execute("INSERT INTO written VALUES (3)")
    other.close()
    del cursor


async def _answer(scope: dict[str, object]) -> list[dict[str, object]]:
    """Return what is sent for a request to what stands behind the door."""
    sent: list[dict[str, object]] = []

    async def behind(_scope: object, _receive: object, send: Callable[[dict[str, object]], Awaitable[None]]) -> None:
        await send({"type": "let in"})

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    await server.OwnPages(behind, Settings().door)(scope, None, send)
    return sent


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_pages_of_other_sites_reach_neither_the_server_nor_its_sockets(kind: str) -> None:
    own, other = [(b"host", b"127.0.0.1:4200")], [(b"host", b"127.0.0.1:4200"), (b"origin", b"https://evil.example")]
    assert asyncio.run(_answer({"type": kind, "method": "POST", "headers": own})) == [{"type": "let in"}]
    for headers in (other, [(b"host", b"evil.example:4200")]):
        first, *_ = asyncio.run(_answer({"type": kind, "method": "POST", "headers": headers}))
        assert first.get("status", first.get("code")) in (403, 1008)


def test_a_server_that_began_when_nothing_could_be_written_writes_later(run: Run, tmp_path: Path) -> None:
    async def body(database: Database) -> None:
        path = tmp_path / "prefect.db"
        sqlite3.connect(path).execute("PRAGMA journal_mode = WAL").connection.close()
        with read_only(path):
            assert await database.written() == []
            with pytest.raises(OperationalError, match="readonly"):
                await database.write(1)
        await database.write(2)
        assert await database.written() == [2]

    run(body)
