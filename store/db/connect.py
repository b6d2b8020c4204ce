"""Connections to the job tables: SQLite in WAL mode, or Postgres."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from core.errors import AssayError, InvalidInput, Misconfigured, RecordDamaged, StorageFailed, StorageFull
from core.setting_origin import origin
from core.settings import make_folder

BUSY_S = 30
"""How long SQLite waits for another writer."""

DISK_FULL = "53100"
"""Postgres' SQLSTATE; SQLite's counterpart is SQLITE_FULL."""


def connect(url: str) -> sa.Engine:
    """Return an engine for `url`, which threads may share; each process makes its own.

    Nothing is opened before the first transaction, but SQLite's folder is made.
    Raises Misconfigured, which does not repeat the URL, for any other kind of database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise _unknown_database() from None
    match parsed.get_backend_name():
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            return _sqlite(parsed, Path(parsed.database))
        case "postgresql" | "postgres":
            return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    raise _unknown_database()


@contextmanager
def reaching(engine: sa.Engine) -> Iterator[None]:
    """Have a database that cannot be opened be a wrong setting: it is elsewhere, down, or no database."""
    try:
        yield
    except (sa.exc.DatabaseError, StorageFailed) as error:
        cause = error if isinstance(error, sa.exc.DatabaseError) else error.__cause__
        reason = str(cause.orig if isinstance(cause, sa.exc.DBAPIError) else error).strip().partition("\n")[0]
        place = engine.url.set(drivername=engine.url.get_backend_name()).render_as_string()  # without the password
        said_by = origin(["database_url"]) or "the default of ASSAY_DATABASE_URL"
        raise Misconfigured(f"The job tables at {place} ({said_by}) cannot be opened: {reason}") from error


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection in a transaction that only reads, and so waits for no writer.

    Raises InvalidInput for a value that the database cannot compare with, and StorageFailed if it cannot be read.
    """
    with (
        _refusing(),
        engine.connect().execution_options(only_reads=True) as connection,
        connection.begin(),
        _leaving_nothing_open(connection),
    ):
        yield connection


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection in a transaction that is committed at the end, or rolled back on an error.

    On SQLite it is the only writer from its beginning, so what it reads cannot change before it writes.
    Raises StorageFull when the database's disk is full, StorageFailed if it cannot be written for another reason, and
    InvalidInput for a value that it cannot keep.
    """
    with _refusing(), engine.begin() as connection, _leaving_nothing_open(connection):
        yield connection


@contextmanager
def _leaving_nothing_open(connection: sa.Connection) -> Iterator[None]:
    """Drop a connection on which an error may have left a statement unfinished, as a value that cannot be read does.

    SQLite would hold the view that it had then, and refuse every later writer on the connection as too late.
    """
    try:
        yield
    except AssayError:
        raise
    except Exception:
        connection.invalidate()
        raise


@contextmanager
def _refusing() -> Iterator[None]:
    """Say what a database refuses as whose error it is: of a value, the user's; Postgres' texts hold no NUL."""
    try:
        yield
    except sa.exc.DataError as error:
        raise InvalidInput(f"The database does not take a value of this request: {error.orig}") from error
    except sa.exc.OperationalError as error:
        if isinstance(error.orig, sqlite3.Error) and not hasattr(error.orig, "sqlite_errorcode"):
            raise RecordDamaged(f"A record in the job tables is damaged: {error.orig}") from error  # no text
        if _is_disk_full(error.orig):
            raise StorageFull("The disk of the job tables is full; free some space, then try again") from error
        raise StorageFailed(f"The job tables cannot be read or written now: {error.orig}; try again later") from error


def insert_into(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that can say what to do where the row is there already."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _unknown_database() -> Misconfigured:
    return Misconfigured("ASSAY_DATABASE_URL must be sqlite:///FILE or postgresql://USER@HOST/NAME")


def _sqlite(url: URL, file: Path) -> sa.Engine:
    make_folder(file.parent, "ASSAY_DATABASE_URL: the folder")
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_S})
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    # sqlite3 would begin transactions too late for DDL, and as readers that cannot become writers.
    connection.isolation_level = None
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.create_function("folded", 1, _folded, deterministic=True)


def _folded(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _use_wal(connection: sqlite3.Connection) -> None:
    # Of processes that meet over a new file, all but one find it locked, and SQLite does not wait here itself.
    give_up = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _begin(connection: sa.Connection) -> None:
    only_reads = connection.get_execution_options().get("only_reads", False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


def _is_disk_full(error: Any) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or (
        getattr(error, "sqlstate", None) == DISK_FULL
    )
