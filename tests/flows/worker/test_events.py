"""What Prefect's server keeps of the events of runs, and records by them in a real SQLite file."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from prefect.server.database import PrefectDBInterface, provide_database_interface
from prefect.server.events.schemas.events import Event
from prefect.server.services import task_run_recorder
from prefect.server.utilities.messaging.memory import MemoryMessage
from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL, temporary_settings
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateIndex, CreateTable

from flows.worker.events import is_routine, record_despite_others


def event(name: str, *related: dict[str, str]) -> Event:
    about = {"prefect.resource.id": "about"}
    return Event.model_validate(
        {"occurred": "2026-11-01T00:00:00Z", "event": name, "resource": about, "related": related, "id": str(uuid4())}
    )


@pytest.mark.parametrize(
    ("name", "flow", "routine"),
    [
        ("prefect.flow-run.Completed", "evaluate", True),
        ("prefect.task-run.Running", "evaluate", True),
        ("prefect.artifact.created", "evaluate", True),
        ("prefect.flow-run.Failed", "evaluate", False),
        ("prefect.flow-run.Completed", "another", False),
        ("assay.job.compared", "evaluate", False),
    ],
)
def test_events_are_routine_that_every_run_of_ours_has(name: str, flow: str, routine: bool) -> None:
    of_flow = {
        "prefect.resource.id": "prefect.flow.1",
        "prefect.resource.role": "flow",
        "prefect.resource.name": flow,
    }
    assert is_routine(event(name, of_flow)) is routine
    assert not is_routine(event(name))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[PrefectDBInterface]:
    with temporary_settings({PREFECT_SERVER_DATABASE_CONNECTION_URL: f"sqlite+aiosqlite:///{tmp_path}/prefect.db"}):
        yield provide_database_interface()


@pytest.fixture
def despite_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_run_recorder, "record_bulk_task_run_events", task_run_recorder.record_bulk_task_run_events)
    record_despite_others()


async def make_tables(connection: AsyncConnection, metadata: sa.MetaData) -> None:
    """Make what Prefect's migrations would make in five seconds; some of its indexes are declared twice."""
    for table in metadata.sorted_tables:
        await connection.execute(CreateTable(table))
    for index in {index.name: index for table in metadata.sorted_tables for index in table.indexes}.values():
        await connection.execute(CreateIndex(index))


def completed(flow_run: UUID) -> MemoryMessage:
    """Return the message of a task run of a flow run that is completed."""
    told = Event.model_validate(
        {
            "occurred": "2026-11-01T00:00:00Z",
            "event": "prefect.task-run.Completed",
            "resource": {"prefect.resource.id": f"prefect.task-run.{uuid4()}", "prefect.orchestration": "client"},
            "related": [{"prefect.resource.id": f"prefect.flow-run.{flow_run}", "prefect.resource.role": "flow-run"}],
            "payload": {
                "validated_state": {"type": "COMPLETED", "name": "Completed"},
                "task_run": {"name": f"of-{flow_run}", "task_key": "generate", "dynamic_key": "0"},
            },
            "id": str(uuid4()),
        }
    )
    return MemoryMessage(data=told.receive().model_dump_json(), attributes={})


@pytest.mark.usefixtures("despite_others")
def test_a_task_run_of_a_deleted_flow_run_keeps_no_other_from_being_recorded(database: PrefectDBInterface) -> None:
    async def recorded() -> list[str]:
        engine = await database.engine()
        async with engine.begin() as connection:
            await make_tables(connection, database.Base.metadata)
        async with database.session_context(begin_transaction=True) as session:
            flow = database.Flow(name="evaluate")
            session.add(flow)
            await session.flush()
            runs = [database.FlowRun(flow_id=flow.id) for _ in range(5)]
            session.add_all(runs)
            await session.flush()
            there = [run.id for run in runs]
        async with task_run_recorder.consumer(write_batch_size=100, flush_every=3600) as take:
            for flow_run in (*there[:2], uuid4(), *there[2:4], uuid4(), there[4]):
                await take(completed(flow_run))
        async with database.session_context() as session:
            names = await session.scalars(sa.select(database.TaskRun.name))
            found = sorted(names)
        assert found == sorted(f"of-{run}" for run in there)
        await engine.dispose()
        return found

    assert len(asyncio.run(recorded())) == 5
