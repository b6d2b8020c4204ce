import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

import store.db.migrations
from core.errors import SchemaMismatch
from store.db import tables
from store.db.connect import reading, writing
from store.db.migrations import MIGRATIONS, check_version, migrate


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
    with pytest.raises(sa.exc.DBAPIError, match="NONSENSE"):
        migrate(empty, [whole, broken])
    assert table_names(empty) == {"schema_version", "a"}
    assert versions(empty) == [1]


def test_processes_that_migrate_at_once_take_turns(empty_url: str, empty: sa.Engine) -> None:
    program = "import sys; from store.db.connect import connect; from store.db.migrations import migrate; "
    program += "print(migrate(connect(sys.argv[1])))"
    root = Path(store.db.migrations.__file__).parents[2]
    processes = [
        subprocess.Popen([sys.executable, "-c", program, empty_url], cwd=root, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == [str(len(MIGRATIONS))] * 4
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
        assert connection.execute(sa.select(tables.jobs.c.spec, tables.jobs.c.request)).all() == [({"kept": 1}, {})]
