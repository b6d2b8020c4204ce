"""The control loop's steps over a real store, with the model of Prefect and a clock that is told to go on."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from prefect.client.schemas import State
from prefect.states import Completed, Pending

from core.job import TERMINAL, Job, JobStatus, NewJob, random_id
from core.settings import Settings
from flows.control import dispatch as dispatching
from flows.control import reconcile, troubles, watch
from flows.control.dispatch import dispatch
from flows.control.endings import Endings
from flows.control.loop import go_round
from flows.control.prune import delete_runs
from flows.control.reconcile import POLL_INTERVAL_S, Reconciler
from flows.control.troubles import Troubles
from flows.control.watch import Watch
from store.db.connect import connect, reading, writing
from store.db.tables import jobs
from store.workspace import Workspace
from tests.conftest import WAIT_S
from tests.flows.model import DEPLOYMENT, Clock, Engine, Prefect
from tests.tables import lay_tables


@dataclass
class Service:
    """A service whose worker is a model; `restart` is what a kill of all its processes comes to."""

    workspace: Workspace
    tables: sa.Engine
    clock: Clock
    prefect: Prefect = field(default_factory=Prefect)
    engines: list[Engine] = field(default_factory=list)
    publish: Callable[[Job], None] = lambda _: None
    workers: int = 1

    def __post_init__(self) -> None:
        self.woken = threading.Event()
        self.forget()

    def forget(self) -> None:
        """Begin a control loop that remembers nothing."""
        self.troubles = Troubles()
        self.endings = Endings(self.workspace, lambda job: self.publish(job), self.woken.set)
        self.reconciler = Reconciler(self.workspace, self.endings, self.troubles)

    def add(self) -> str:
        job_id = random_id("job-")
        return self.workspace.jobs.add(NewJob(job_id, "nemo-v2", {}, job_id, spec=None)).id

    def look(self, seconds: float = POLL_INTERVAL_S) -> None:
        """Let time pass, go once round the control loop, and wait for the ends that it has prepared."""
        self.go_round(seconds)
        deadline = time.monotonic() + WAIT_S
        while any(map(self.endings.is_at_work, self.ids())):
            assert time.monotonic() < deadline, f"the end of a job was not prepared in {WAIT_S:.0f} s"
            self.woken.wait(0.01)

    def go_round(self, seconds: float = POLL_INTERVAL_S) -> None:
        """Let time pass, then go once round the control loop."""
        self.clock.passed_s += seconds
        client: Any = self.prefect
        steps = {
            "a look": partial(self.reconciler.look, client),
            "dispatch": partial(dispatch, client, self.workspace, DEPLOYMENT, self.reconciler, self.troubles),
            "deleting runs": partial(delete_runs, client, self.workspace, self.troubles),
        }
        with suppress(httpx.TransportError):
            asyncio.run(go_round(steps, self.troubles))

    def take_up(self) -> None:
        """Have the worker begin what there is."""
        for run_id in self.prefect.of_type("SCHEDULED"):
            self.prefect.runs[run_id] = Pending()
        for run_id in self.prefect.of_type("PENDING"):
            engine = Engine(self.workspace, self.prefect, run_id, f"worker-{self.workers}")
            if engine.begin():
                engine.engage()
                self.engines.append(engine)

    def end(self, state: State[Any]) -> None:
        """Have all engines let go, and their runs end in a state."""
        for engine in self.engines:
            engine.leave_with(state)
            engine.let_go()
        self.engines.clear()

    def work(self) -> None:
        """Have the worker do all that there is."""
        self.take_up()
        for engine in self.engines:
            engine.complete()
        self.end(Completed())

    def kill_worker(self) -> None:
        """Let go of all locks, and say nothing to Prefect."""
        for engine in self.engines:
            engine.held.close()
        self.engines.clear()
        self.workers += 1

    def kill_all(self) -> None:
        """Kill every process; what comes up again remembers nothing."""
        self.kill_worker()
        self.forget()

    def ids(self) -> Sequence[str]:
        with reading(self.tables) as connection:
            return connection.scalars(sa.select(jobs.c.id)).all()

    def status(self, job_id: str) -> JobStatus:
        with reading(self.tables) as connection:
            status: JobStatus = connection.execute(sa.select(jobs.c.status).where(jobs.c.id == job_id)).scalar_one()
        return status

    def until_ended(self, *job_ids: str, looks: int) -> None:
        """Have all healthy until jobs have ended; fails the test after so many looks."""
        for _ in range(looks):
            self.work()
            self.look()
            if {self.status(job_id) for job_id in job_ids} <= TERMINAL:
                return
        pytest.fail(f"after {looks} looks: {[self.status(job_id) for job_id in job_ids]}, {self.prefect.runs}")

    def execute(self, statement: str, **values: Any) -> None:
        with writing(self.tables) as connection:
            connection.execute(sa.text(statement), values)


@contextmanager
def serving(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Give a service on a home of its own."""
    clock, settings = Clock(), Settings(home=home)
    for module in (dispatching, reconcile, troubles, watch):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(reconcile, "Watch", lambda: Watch(heartbeat_since=clock.monotonic()))
    lay_tables(home / "assay.db")
    workspace, tables = Workspace.open(settings, migrating=True), connect(settings.jobs_url)
    with closing(workspace):
        service = Service(workspace, tables, clock)
        yield service
        service.kill_worker()
    tables.dispose()
