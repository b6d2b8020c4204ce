"""Whatever one job's record, files or flow run hold, the others are settled."""

import shutil
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Final

import pytest
from prefect.states import Cancelled, Completed, Failed

from core.job import Progress, utcnow
from flows.control.reconcile import POLL_INTERVAL_S
from flows.control.troubles import GIVEN_UP_AFTER_S
from store.db import tables
from tests.flows.control.service import Service, serving

GARBAGE: Final = {"text": "}{", "undecodable": b"\xff\xfe", "number": -1}
"""What SQLite keeps in any column; as text, bytes that are none are read as such."""

COLUMNS: Final = [
    (table.name, column.name)
    for table in (tables.jobs, tables.job_progress)
    for column in table.columns
    if not column.primary_key
]
FILES: Final = (
    ".lock",
    "manifest.json",
    "job.parquet",
    "log.jsonl",
    "summaries/00000.parquet",
    "samples/00000.parquet",
    "outputs/00000.parquet",
    "scores/00000.parquet",
    "calls/generate-00000.parquet",
    "journal/generate-00000.journal",
)
ENOUGH_LOOKS: Final = int(2 * GIVEN_UP_AFTER_S / POLL_INTERVAL_S)


def poison_column(service: Service, job_id: str, table: str, column: str, kind: str) -> None:
    key = "id" if table == "jobs" else "job_id"
    value = "CAST(:value AS TEXT)" if kind == "undecodable" else ":value"
    statement = f"UPDATE {table} SET {column} = {value} WHERE {key} = :id"
    service.execute(statement, value=GARBAGE[kind], id=job_id)


def fill(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x00\xff garbage")


def make_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    (path / "in the way").mkdir(parents=True)


def link_to_itself(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(path)


def put_file_in_place_of_folder(service: Service, job_id: str) -> None:
    folder = service.workspace.folder(job_id).path
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("no folder")


def begun(service: Service, count: int) -> list[str]:
    """Return jobs whose engines are at work."""
    ids = [service.add() for _ in range(count)]
    for _ in range(count):
        service.look()
        service.take_up()
        service.look()
        if {service.status(job_id) for job_id in ids} == {"running"}:
            return ids
    pytest.fail(f"not all of {count} jobs were begun")


def all_done_but_for_prefect(service: Service) -> None:
    for engine in service.engines:
        engine.complete()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Give one service to many tests, which leave it their damaged jobs."""
    with pytest.MonkeyPatch.context() as monkeypatch, serving(tmp_path_factory.mktemp("home"), monkeypatch) as service:
        yield service


@pytest.mark.thorough
@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_damaged_column_of_one_job_keeps_no_other_from_ending(shared: Service, table: str, column: str) -> None:
    *poisoned, healthy = begun(shared, len(GARBAGE) + 1)
    late = shared.add()
    all_done_but_for_prefect(shared)
    for job_id, kind in zip(poisoned, GARBAGE, strict=True):
        poison_column(shared, job_id, table, column, kind)
    shared.end(Completed())
    shared.until_ended(healthy, late, looks=4)
    assert (shared.status(healthy), shared.status(late)) == ("completed", "completed")


@pytest.mark.thorough
@pytest.mark.parametrize("poison", [fill, make_folder, link_to_itself], ids=lambda each: each.__name__)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_of_one_job_keeps_no_other_from_ending(
    shared: Service, name: str, poison: Callable[[Path], None]
) -> None:
    poisoned, first, last = begun(shared, 3)
    all_done_but_for_prefect(shared)
    shared.end(Completed())
    poison(shared.workspace.folder(poisoned).path / name)
    shared.until_ended(first, last, looks=4)
    assert (shared.status(first), shared.status(last)) == ("completed", "completed")
    shared.until_ended(poisoned, looks=ENOUGH_LOOKS)
    assert shared.status(poisoned) in ("completed", "failed")


@pytest.mark.thorough
def test_every_damage_at_once_keeps_no_job_from_ending(service: Service) -> None:
    kinds = [(*column, kind) for column, kind in zip(COLUMNS, cycle(GARBAGE)) if column != ("jobs", "status")]
    healthy, poisoned, without_folder = begun(service, 20), begun(service, len(kinds)), begun(service, 1)
    all_done_but_for_prefect(service)
    service.end(Completed())
    for job_id, (table, column, kind) in zip(poisoned, kinds, strict=True):
        poison_column(service, job_id, table, column, kind)
    put_file_in_place_of_folder(service, without_folder[0])
    service.until_ended(*healthy, looks=4)
    assert {service.status(job_id) for job_id in healthy} == {"completed"}
    service.until_ended(*poisoned, *without_folder, looks=ENOUGH_LOOKS)


@pytest.mark.parametrize("column", ["flow_run_id", "started_at", "failure", "note"])
def test_a_job_whose_record_is_damaged_has_failed_with_what_is_damaged(service: Service, column: str) -> None:
    (job_id,) = begun(service, 1)
    poison_column(service, job_id, "jobs", column, "undecodable")
    service.until_ended(job_id, looks=3)
    assert service.status(job_id) == "failed"
    if column in ("failure", "flow_run_id"):
        service.execute("UPDATE jobs SET flow_run_id = NULL")
        failure = service.workspace.jobs.get(job_id).failure
        assert failure is not None
        assert failure.code == "record_damaged"
        assert column in failure.message


@pytest.mark.parametrize("column", ["flow_run_id", "config", "created_at"])
def test_a_new_job_whose_record_is_damaged_keeps_no_other_from_being_started(service: Service, column: str) -> None:
    poisoned, healthy = service.add(), service.add()
    poison_column(service, poisoned, "jobs", column, "undecodable")
    service.until_ended(healthy, poisoned, looks=4)
    assert (service.status(healthy), service.status(poisoned)) == ("completed", "failed")


def test_an_unreadable_specification_of_a_failed_job_is_its_reason(service: Service) -> None:
    poisoned, healthy = begun(service, 2)
    service.execute("UPDATE jobs SET spec = '{\"no\": 1}' WHERE id = :id", id=poisoned)
    run_id = next(run_id for run_id, job_id in service.prefect.jobs.items() if job_id == poisoned)
    engine = next(each for each in service.engines if each.run_id == run_id)
    service.engines.remove(engine)
    engine.leave_with(Failed())
    engine.let_go()
    service.until_ended(healthy, poisoned, looks=4)
    assert (service.status(healthy), service.status(poisoned)) == ("completed", "failed")
    service.execute("UPDATE jobs SET spec = NULL WHERE id = :id", id=poisoned)
    failure = service.workspace.jobs.get(poisoned).failure
    assert failure is not None
    assert failure.code == "record_damaged"
    assert "specification" in failure.message


@pytest.mark.parametrize(
    "error", [RuntimeError("no"), KeyError("state"), AssertionError(), OSError(5, "no"), TypeError()]
)
def test_a_run_that_spoils_prefects_answers_keeps_no_other_from_ending(service: Service, error: Exception) -> None:
    poisoned, first, last = begun(service, 3)
    service.prefect.broken[next(run for run, job in service.prefect.jobs.items() if job == poisoned)] = error
    service.until_ended(first, last, looks=4)
    assert (service.status(first), service.status(last)) == ("completed", "completed")
    service.until_ended(poisoned, looks=ENOUGH_LOOKS)


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyError("tags")])
def test_a_job_that_prefect_cannot_take_keeps_no_other_from_being_started(service: Service, error: Exception) -> None:
    poisoned, healthy = service.add(), service.add()
    service.prefect.refused[poisoned] = error
    service.until_ended(healthy, looks=3)
    assert (service.status(healthy), service.status(poisoned)) == ("completed", "created")
    service.until_ended(poisoned, looks=ENOUGH_LOOKS)
    assert service.status(poisoned) == "failed"


def test_a_job_is_given_up_only_once_its_engine_was_told_to_stop(service: Service) -> None:
    (job_id,) = begun(service, 1)
    service.execute("UPDATE jobs SET started_at = 'yesterday' WHERE id = :id", id=job_id)
    service.look()
    assert service.status(job_id) == "running"
    assert service.engines[0].report() == "cancel"
    service.end(Cancelled())
    service.look()
    assert service.status(job_id) == "failed"


def test_a_deleted_job_that_cannot_be_removed_keeps_no_other_from_ending(service: Service) -> None:
    stuck, healthy = begun(service, 2)
    service.work()
    service.look()
    put_file_in_place_of_folder(service, stuck)
    service.workspace.folder(stuck).path.with_name(f".deleted-{stuck}").symlink_to("/proc/self")
    service.workspace.jobs.want(stuck, "delete")
    service.until_ended(healthy, looks=3)
    assert service.status(healthy) == "completed"


def test_a_report_that_cannot_be_read_is_mended_by_the_next(service: Service) -> None:
    (job_id,) = begun(service, 1)
    service.execute("UPDATE job_progress SET counts = '}{'")
    assert service.workspace.jobs.progress([job_id]) == {}
    service.workspace.jobs.report(Progress(job_id, 1, "worker", utcnow()))
    assert job_id in service.workspace.jobs.progress([job_id])
