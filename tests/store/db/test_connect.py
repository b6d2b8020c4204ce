import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa

from core.errors import InvalidInput, Misconfigured, StorageFailed, StorageFull
from store.db.connect import connect, reading, writing
from tests.conftest import read_only


def columns_of(engine: sa.Engine, table: str) -> int:
    with reading(engine) as connection:
        return len(sa.inspect(connection).get_columns(table)) if sa.inspect(connection).has_table(table) else 0


@pytest.fixture
def counter(empty: sa.Engine) -> sa.Engine:
    with writing(empty) as connection:
        connection.exec_driver_sql("CREATE TABLE counter (n INTEGER NOT NULL)")
        connection.exec_driver_sql("INSERT INTO counter VALUES (0)")
    return empty


def count(engine: sa.Engine) -> int:
    with reading(engine) as connection:
        return int(connection.exec_driver_sql("SELECT n FROM counter").scalar_one())


def test_writers_in_many_threads_wait_for_each_other(counter: sa.Engine) -> None:
    table = sa.table("counter", sa.column("n"))

    def increment(_: int) -> None:
        with writing(counter) as connection:
            n = connection.execute(sa.select(table.c.n).with_for_update()).scalar_one()
            connection.execute(sa.update(table).values(n=n + 1))

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(increment, range(200)))

    assert len(done) == 200
    assert count(counter) == 200


def test_a_reader_does_not_wait_for_a_writer_and_sees_what_was_committed(counter: sa.Engine) -> None:
    with writing(counter) as connection:
        connection.exec_driver_sql("UPDATE counter SET n = 7")
        assert count(counter) == 0
    assert count(counter) == 7


def test_an_error_takes_back_rows_and_tables_alike(counter: sa.Engine) -> None:
    def fail() -> None:
        with writing(counter) as connection:
            connection.exec_driver_sql("UPDATE counter SET n = 7")
            connection.exec_driver_sql("CREATE TABLE half (n INTEGER)")
            connection.exec_driver_sql("CREATE TABLE other_half (n INTEGER)")
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert count(counter) == 0
    assert columns_of(counter, "half") == columns_of(counter, "other_half") == 0
    assert columns_of(counter, "counter") == 1


def test_sqlite_is_set_up_for_many_processes(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'not' / 'yet' / 'assay.db'}")
    with reading(engine) as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    engine.dispose()
    assert pragmas == {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 30_000, "foreign_keys": 1}


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'assay.db'}")

    def fill() -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 2")
            for i in range(10):
                connection.exec_driver_sql(f"CREATE TABLE t{i} (n INTEGER)")

    with pytest.raises(StorageFull, match="disk of the job tables is full"):
        fill()
    assert columns_of(engine, "t0") == 0
    engine.dispose()


def test_a_disk_that_takes_nothing_is_named_and_what_was_kept_stays(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'assay.db'}")
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE kept (n INTEGER)")

    def insert() -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql("INSERT INTO kept VALUES (1)")

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # each write to a file fails
    try:
        with pytest.raises(StorageFailed, match="job tables"):
            insert()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    insert()
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM kept").scalar() == 1
    engine.dispose()


def test_a_database_that_may_only_be_read_is_named(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'assay.db'}")

    def create() -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql("PRAGMA query_only = ON")
            connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")

    with pytest.raises(StorageFailed, match="job tables cannot be read or written now: attempt to write a readonly"):
        create()
    engine.dispose()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgres_is_spoken_to_by_psycopg_3(scheme: str) -> None:
    engine = connect(f"{scheme}://user@host/name")
    assert engine.url.drivername == "postgresql+psycopg"
    assert engine.dialect.driver == "psycopg"


@pytest.mark.parametrize("url", ["mysql://me:hunter2@host/x", "hunter2", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused_without_repeating_the_url(url: str) -> None:
    with pytest.raises(Misconfigured, match="ASSAY_DATABASE_URL must be") as error:
        connect(url)
    assert "hunter2" not in error.value.message


def test_engines_that_meet_over_a_new_file_all_get_in(tmp_path: Path) -> None:
    together = Barrier(8)

    def first_write(url: str) -> str:
        engine = connect(url)
        together.wait()
        with writing(engine) as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        engine.dispose()
        return str(mode)

    with ThreadPoolExecutor(8) as pool:
        modes = [mode for i in range(20) for mode in pool.map(first_write, [f"sqlite:///{tmp_path / str(i)}.db"] * 8)]
    assert len(modes) == 160
    assert set(modes) == {"wal"}


def test_a_value_that_the_database_does_not_take_is_the_user_s_error(engine: sa.Engine) -> None:
    kept = sa.text("SELECT CAST(:value AS TEXT)")
    if engine.dialect.name == "postgresql":
        with pytest.raises(InvalidInput, match="NUL"), reading(engine) as connection:
            connection.scalar(kept, {"value": "a\x00b"})
        with pytest.raises(InvalidInput, match="NUL"), writing(engine) as connection:
            connection.scalar(kept, {"value": "a\x00b"})
    else:
        with reading(engine) as connection:
            assert connection.scalar(kept, {"value": "a\x00b"}) == "a\x00b"


def test_a_value_that_cannot_be_read_keeps_no_later_writer_out(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'jobs.db'}")
    numbers = sa.Table("numbers", sa.MetaData(), sa.Column("n", sa.Integer), sa.Column("at", sa.DateTime))
    with writing(engine) as connection:
        connection.execute(sa.text("CREATE TABLE numbers (n INTEGER, at TIMESTAMP)"))
        connection.execute(sa.text("INSERT INTO numbers VALUES (1, 'yesterday'), (2, NULL)"))
    kept: list[BaseException] = []  # as by a log, or until the collector comes
    for transaction in (reading, writing):
        with pytest.raises(ValueError, match="yesterday") as caught, transaction(engine) as connection:
            connection.execute(sa.select(numbers)).first()
        kept.append(caught.value)
    other = connect(f"sqlite:///{tmp_path / 'jobs.db'}")
    with writing(other) as connection:
        connection.execute(sa.insert(numbers).values(n=3))
    with writing(engine) as connection:
        connection.execute(sa.insert(numbers).values(n=4))
    with reading(engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(numbers)) == 4
    engine.dispose()
    other.dispose()
    assert len(kept) == 2


def test_a_database_that_could_not_be_written_to_when_it_was_opened_can_be_later(tmp_path: Path) -> None:
    path = tmp_path / "assay.db"
    with writing(connect(f"sqlite:///{path}")) as connection:
        connection.exec_driver_sql("CREATE TABLE counter (n INTEGER)")
    late = connect(f"sqlite:///{path}")
    with read_only(path):
        assert columns_of(late, "counter") == 1
        with pytest.raises(StorageFailed, match="readonly"), writing(late) as connection:
            connection.exec_driver_sql("INSERT INTO counter VALUES (1)")
    with writing(late) as connection:
        connection.exec_driver_sql("INSERT INTO counter VALUES (2)")
    assert count(late) == 2
    late.dispose()
