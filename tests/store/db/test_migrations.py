import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

import store.db.migrations
from core.errors import SchemaMismatch, StorageFailed
from core.job import utcnow
from store.db import tables
from store.db.connect import connect, reading, writing
from store.db.migrations import MIGRATIONS, RESULT_FILES, check_version, migrate
from tests.conftest import WAIT_S


def table_names(engine: sa.Engine) -> set[str]:
    with reading(engine) as connection:
        return set(sa.inspect(connection).get_table_names())


def versions(engine: sa.Engine) -> list[int]:
    with reading(engine) as connection:
        return list(connection.scalars(sa.select(tables.schema_version.c.version)))


def test_the_migrated_tables_are_those_of_the_code(engine: sa.Engine) -> None:
    with reading(engine) as connection:
        found = sa.inspect(connection)
        assert set(found.get_table_names()) == set(tables.metadata.tables)
        for table in tables.metadata.sorted_tables:
            columns = {column["name"]: bool(column["nullable"]) for column in found.get_columns(table.name)}
            indexes = {
                index["name"]: index["column_names"]
                for index in found.get_indexes(table.name)
                if "duplicates_constraint" not in index
            }
            assert columns == {column.name: bool(column.nullable) for column in table.columns}
            assert indexes == {index.name: [column.name for column in index.columns] for index in table.indexes}
            assert found.get_pk_constraint(table.name)["constrained_columns"] == table.primary_key.columns.keys()
        unique = found.get_unique_constraints("jobs")
        assert [constraint["column_names"] for constraint in unique] == [["face", "namespace", "name"]]


def test_migrating_twice_changes_nothing(empty: sa.Engine) -> None:
    assert migrate(empty) == migrate(empty) == len(MIGRATIONS)
    assert versions(empty) == list(range(1, len(MIGRATIONS) + 1))
    check_version(empty)


def test_only_the_steps_that_are_missing_are_taken(empty: sa.Engine) -> None:
    first, second = ("CREATE TABLE a (n INTEGER)",), ("CREATE TABLE b (n INTEGER)",)
    assert migrate(empty, [first]) == 1
    assert table_names(empty) == {"schema_version", "a"}
    assert migrate(empty, [first, second]) == 2
    assert table_names(empty) == {"schema_version", "a", "b"}


def test_a_step_that_fails_leaves_nothing_half_made(empty: sa.Engine) -> None:
    whole = ("CREATE TABLE a (n INTEGER)",)
    broken = ("CREATE TABLE b (n INTEGER)", "CREATE TABLE c (n INTEGER)", "CREATE NONSENSE")
    with pytest.raises((sa.exc.DBAPIError, StorageFailed), match="NONSENSE"):
        migrate(empty, [whole, broken])
    assert table_names(empty) == {"schema_version", "a"}
    assert versions(empty) == [1]


class Killed(Exception):
    """A process dies here."""


def looks(engine: sa.Engine) -> object:
    """Return all tables with their columns and indexes, and the version that the database says it has."""
    with reading(engine) as connection:
        found = sa.inspect(connection)
        names = sorted(found.get_table_names())
        tables_found = {
            name: (
                [(column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(name)],
                sorted(index["name"] or "" for index in found.get_indexes(name)),
            )
            for name in names
        }
    return tables_found, versions(engine) if "schema_version" in names else []


@contextmanager
def before_each(engine: sa.Engine, heed: Callable[[int], object]) -> Iterator[None]:
    """Have `heed` called before each statement of a step that changes something, with its number, and before COMMIT."""
    number = itertools.count()

    def execute(_connection: object, _cursor: object, text: str, *_: object) -> None:
        if text.split()[0] in ("CREATE", "ALTER", "DROP", "UPDATE", "INSERT"):
            heed(next(number))

    def commit(_connection: object) -> None:
        heed(next(number))

    sa.event.listen(engine, "before_cursor_execute", execute)
    sa.event.listen(engine, "commit", commit)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", execute)
        sa.event.remove(engine, "commit", commit)


def die_at(statement: int) -> Callable[[int], None]:
    def die(number: int) -> None:
        if number == statement:
            raise Killed

    return die


def test_the_result_files_of_jobs_that_were_there_before_are_theirs(empty: sa.Engine) -> None:
    migrate(empty, MIGRATIONS[: MIGRATIONS.index(RESULT_FILES)])
    file = {"file_type": "jsonl", "bytes": 1, "line_count": 1, "sha256": "0", "created_at": utcnow()}
    named = {"made": "eval-1.jsonl", "brought": "mine.jsonl"}
    with writing(empty) as connection:
        asked = {"face": "together", "namespace": "default", "name": "eval-1", "status": "completed", "intent": "run"}
        times = {"created_at": utcnow(), "updated_at": utcnow()}
        row = {"id": "eval-1", **asked, **times, "crashes": 0, "request": "{}", "ephemeral": False}
        connection.execute(sa.insert(tables.jobs).values(row))
        for file_id, filename in named.items():
            row = {"id": file_id, "filename": filename, "purpose": "eval-output", **file}
            connection.execute(sa.insert(tables.files).values(row))
    migrate(empty)
    with reading(empty) as connection:
        owners = dict(connection.execute(sa.select(tables.files.c.id, tables.files.c.job)).tuples().all())
    assert owners == {"made": "eval-1", "brought": None}


def test_a_step_that_dies_at_any_statement_leaves_the_version_before_it(empty: sa.Engine) -> None:
    migrate(empty, [])
    for version, step in enumerate(MIGRATIONS, start=1):
        before = looks(empty)
        for statement in range(len(step) + 2):  # those of the step, the record of its version, and COMMIT
            with before_each(empty, die_at(statement)), pytest.raises(Killed):
                migrate(empty, MIGRATIONS[:version])
            assert looks(empty) == before, (version, statement)
        assert migrate(empty, MIGRATIONS[:version]) == version
    check_version(empty)


def test_the_files_that_a_kill_leaves_at_any_statement_are_those_of_a_version(tmp_path: Path) -> None:
    home, first = tmp_path / "home", len(MIGRATIONS) - 3
    engine = connect(f"sqlite:///{home / 'assay.db'}")
    migrate(engine, MIGRATIONS[:first])
    whole, kills = {first: looks(engine)}, 0
    for version in range(first + 1, len(MIGRATIONS) + 1):

        def keep(number: int, at: int = version) -> None:
            shutil.copytree(home, tmp_path / f"{at}-{number}")

        with before_each(engine, keep):
            migrate(engine, MIGRATIONS[:version])
        whole[version] = looks(engine)
    engine.dispose()
    for killed in sorted(tmp_path.glob("*-*")):
        kills += 1
        left = connect(f"sqlite:///{killed / 'assay.db'}")
        assert looks(left) == whole[int(killed.name.partition("-")[0]) - 1]
        migrate(left)
        assert looks(left) == whole[len(MIGRATIONS)]
        left.dispose()
    assert kills == sum(len(step) + 2 for step in MIGRATIONS[first:])


@pytest.mark.thorough
def test_processes_that_migrate_at_once_take_turns(empty_url: str, empty: sa.Engine) -> None:
    program = "import sys; from store.db.connect import connect; from store.db.migrations import migrate; "
    program += "print(migrate(connect(sys.argv[1])))"
    root = Path(store.db.migrations.__file__).parents[2]
    processes = [
        subprocess.Popen([sys.executable, "-c", program, empty_url], cwd=root, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate(timeout=WAIT_S)[0].strip() for process in processes] == [str(len(MIGRATIONS))] * 4
    assert versions(empty) == list(range(1, len(MIGRATIONS) + 1))


def test_an_older_database_is_refused_with_the_remedy(empty: sa.Engine) -> None:
    with pytest.raises(SchemaMismatch) as error:
        check_version(empty)
    assert error.value.message == (
        f"The database has schema version 0, this release needs {len(MIGRATIONS)}: run `assay migrate`"
    )
    assert table_names(empty) == set()


def test_a_newer_database_is_refused_and_left_alone(engine: sa.Engine) -> None:
    newer = len(MIGRATIONS) + 1
    with writing(engine) as connection:
        step = tables.schema_version.insert().values(version=newer, applied_at=sa.func.current_timestamp())
        connection.execute(step)
    for call in (migrate, check_version):
        with pytest.raises(SchemaMismatch, match=f"version {newer}, .* needs {len(MIGRATIONS)}: use a newer release"):
            call(engine)
    assert versions(engine)[-1] == newer


def test_a_job_of_an_earlier_version_keeps_its_specification(empty: sa.Engine) -> None:
    assert migrate(empty, MIGRATIONS[:3]) == 3
    with writing(empty) as connection:
        connection.exec_driver_sql(
            """
            INSERT INTO jobs (id, face, namespace, name, status, intent, crashes, created_at, updated_at, spec, request)
            VALUES ('job-1', 'nemo-v2', 'default', 'n', 'created', 'run', 0,
                    '2026-01-02 03:04:05', '2026-01-02 03:04:05', '{"kept":1}', '{}')
            """
        )
    assert migrate(empty) == len(MIGRATIONS)
    with reading(empty) as connection:
        found = connection.execute(sa.select(tables.jobs.c.spec, tables.jobs.c.request)).all()
        assert [tuple(row) for row in found] == [({"kept": 1}, {})]
