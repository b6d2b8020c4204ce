"""The thread of the control loop over a real store; what it has of Prefect is the model of it."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectException
from prefect.states import Scheduled

from core.job import Job, job_id_of
from flows.control import loop
from flows.control.loop import Control
from flows.control.troubles import LONGEST_PAUSE_S
from flows.deploy import Deployed
from flows.form import Asked
from flows.register import register
from tests.conftest import WAIT_S, until
from tests.flows.control.service import Service
from tests.flows.model import DEPLOYMENT, Prefect

ERRORS = [
    RuntimeError("no"),
    KeyError("x"),
    MemoryError(),
    asyncio.CancelledError(),
    httpx.ConnectError("down"),
    PrefectException("no"),
    TimeoutError("late"),
]
each_error = pytest.mark.parametrize("error", ERRORS, ids=lambda each: type(each).__name__)


class Client(Prefect):
    """The model of Prefect, with runs that nobody registered."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: list[FlowRun] = []
        self.named: dict[UUID, str] = {}

    async def read_flow_runs(self, *, flow_run_filter: Any, limit: int, **order: Any) -> list[Any]:
        if flow_run_filter.deployment_id:
            return list(self.lost)
        return list(await super().read_flow_runs(flow_run_filter=flow_run_filter, limit=limit))

    async def update_flow_run(self, run_id: UUID, *, name: str, tags: set[str]) -> None:
        self.named[run_id] = name


class Errors:
    """Raises each of some errors once, then nothing."""

    def __init__(self, *errors: BaseException) -> None:
        self.left = list(errors)

    def __call__(self, *_: object) -> None:
        if self.left:
            raise self.left.pop(0)


@contextmanager
def controlling(
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    *,
    client: Client | None = None,
    setting_up: Callable[[], None] = lambda: None,
    complete: Callable[[Job], None] = lambda _: None,
) -> Iterator[Control]:
    """Run a control loop until the context ends, by when its thread must have ended."""

    @asynccontextmanager
    async def get_client() -> AsyncIterator[Client]:
        yield client or Client()

    async def set_up(*_: object) -> Deployed:
        setting_up()
        return Deployed(DEPLOYMENT, own_worker=False)

    async def our_deployments(*_: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(id=DEPLOYMENT)]

    async def close_form(*_: object) -> None:
        pass

    for each in (get_client, set_up, our_deployments, close_form):
        monkeypatch.setattr(loop, each.__name__, each)
    monkeypatch.setattr(loop, "wait_for_server", lambda **_: None)
    for name in ("INTERVAL_S", "BACKOFF_S", "ADOPTION_INTERVAL_S"):
        monkeypatch.setattr(loop, name, 0.01)
    control = Control(service.workspace, complete=complete, publish=lambda _: None)
    control.start()
    try:
        yield control
    finally:
        control.stop()
        assert not control._thread.is_alive()
        assert not control.ready


@each_error
def test_whatever_setting_up_raises_the_loop_begins_again(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    job_id, client, errors = service.add(), Client(), Errors(error, error)
    with controlling(service, monkeypatch, client=client, setting_up=errors) as control:
        until("the job's run", lambda: job_id in client.jobs.values())
        assert control.ready
    assert errors.left == []


@each_error
def test_whatever_starting_a_run_raises_it_is_started_in_the_end(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    job_id, client = service.add(), Client()
    client.on_creation = errors = Errors(error)
    with controlling(service, monkeypatch, client=client):
        until("the job's run", lambda: later(service) and job_id in client.jobs.values())
    assert errors.left == []


@each_error
def test_what_completing_one_job_raises_keeps_no_other_from_it(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    client = Client()
    poisoned, healthy = (job_from_prefect(service, client) for _ in range(2))
    completed: list[str] = []

    def complete(job: Job) -> None:
        completed.append(job.id)
        if job.id == poisoned.id and completed.count(job.id) == 1:
            raise error

    with controlling(service, monkeypatch, client=client, complete=complete):
        until("both jobs", lambda: later(service) and completed.count(poisoned.id) > 1 and healthy.id in completed)


def test_a_job_that_cannot_be_completed_fails_with_the_reason(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    job = job_from_prefect(service, client)

    def complete(_: Job) -> None:
        raise KeyError("what nobody foresaw")

    with controlling(service, monkeypatch, client=client, complete=complete):
        until("its failure", lambda: later(service) and service.workspace.jobs.get(job.id).failure is not None)
    failure = service.workspace.jobs.get(job.id).failure
    assert failure is not None
    assert failure.blame == "service"
    assert "KeyError: 'what nobody foresaw'" in failure.message


def test_a_run_that_did_not_register_itself_is_adopted(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    client, run = Client(), FlowRun(id=uuid4(), flow_id=uuid4(), parameters={"target": "ns/t", "config": "ns/c"})
    client.lost = [run]
    with controlling(service, monkeypatch, client=client):
        until("the run's name", lambda: client.named.get(run.id) == f"ns/c-{job_id_of(run.id)[-6:]}")
    assert job_id_of(run.id) in service.ids()


def later(service: Service) -> bool:
    """Let the time pass after which everything is tried again."""
    service.clock.passed_s += LONGEST_PAUSE_S
    return True


def job_from_prefect(service: Service, client: Client) -> Job:
    """Return the job of a run that names what is stored, and waits for the service to put that in."""
    run_id = uuid4()
    job = register(service.workspace, run_id, Asked(target="ns/t", config="ns/c"))
    client.runs[run_id], client.jobs[run_id] = Scheduled(), job.id
    return job


def test_the_loop_ends_while_prefect_does_not_answer(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and nothing more
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/api")
        control = Control(service.workspace, complete=lambda _: None, publish=lambda _: None)
        control.start()
        stopping = threading.Thread(target=control.stop)
        stopping.start()
        stopping.join(WAIT_S)
    assert not control._thread.is_alive()
