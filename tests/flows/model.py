"""A small model of Prefect and of a worker: a flow run is its state, an engine a lock and its reports."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import SimpleNamespace
from typing import Any, Literal
from uuid import UUID, uuid5

import httpx
from prefect.client.schemas import State
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Completed, Failed, Running, Scheduled, Suspended

from core.errors import Conflict, NotFound
from core.job import TERMINAL, Count, Failure, Intent, Progress, Stage, utcnow
from flows.control.status import OWN_PAUSE
from flows.labels import job_tag
from store.workspace import Workspace

SAMPLES = 4
NAMESPACE = UUID(int=7)
DEPLOYMENT = UUID(int=0)

STOPPED: Mapping[Intent, Callable[[], State[Any]]] = {
    "pause": partial(Suspended, pause_key=f"{OWN_PAUSE}1"),
    "cancel": Cancelled,
    "delete": Cancelled,
}
"""How a run ends that its user no longer wants to go on."""

Phase = Literal["begun", "engaged", "leaving"]
"""A thread that has begun a run holds the folder only while it is engaged, and sets the run's state as it leaves."""


@dataclass
class Clock:
    """Time that passes only when it is told to, so that no machine's speed decides what happens."""

    passed_s: float = 1_000.0

    def monotonic(self) -> float:
        return self.passed_s


class Prefect:
    """What our control loop calls of Prefect's client; it may be out of reach, before a call or for its answer.

    Runs that are `broken` spoil every answer that they are in; jobs that are `refused` get none.
    """

    def __init__(self) -> None:
        self.runs: dict[UUID, State[Any]] = {}
        self.jobs: dict[UUID, str] = {}
        self.counts = Counter[UUID]()
        self.resumed: set[UUID] = set()
        self.artifacts: dict[UUID, set[str]] = {}
        self.broken: dict[UUID, Exception] = {}
        self.refused: dict[str, Exception] = {}
        self.deployment: UUID | None = DEPLOYMENT
        self.on_creation: Callable[[str], object] | None = None
        self.asked = 0
        self.is_down = False
        self.loses_answers = False
        self.meanwhile: Callable[[], object] | None = None

    async def create_flow_run_from_deployment(
        self, _deployment: UUID, *, idempotency_key: str, **_: Any
    ) -> SimpleNamespace:
        with self._answering():
            if idempotency_key in self.refused:
                raise self.refused[idempotency_key]
            if self.on_creation:
                self.on_creation(idempotency_key)
            run_id = uuid5(NAMESPACE, idempotency_key)
            if run_id not in self.jobs:
                self.runs[run_id], self.jobs[run_id] = Scheduled(), idempotency_key
            return SimpleNamespace(id=run_id)

    async def read_flow_runs(self, *, flow_run_filter: Any, limit: int) -> list[SimpleNamespace]:
        with self._answering():
            if flow_run_filter.id is None:  # those with a job's tag
                tags = flow_run_filter.tags.all_
                return [SimpleNamespace(id=each) for each, job_id in self.jobs.items() if job_tag(job_id) in tags]
            wanted = flow_run_filter.id.any_
            for error in (self.broken[each] for each in wanted if each in self.broken):
                raise error
            assert len(wanted) <= limit
            answer = [
                SimpleNamespace(
                    id=each, state=self.runs[each], run_count=self.counts[each], deployment_id=self.deployment
                )
                for each in wanted
                if each in self.runs
            ]
        if self.meanwhile is not None:  # what happens while the answer is on its way to the control loop
            self.meanwhile()
            self.meanwhile = None
        return answer

    async def resume_flow_run(self, run_id: UUID) -> None:
        with self._answering():
            self.resume(self._known(run_id))

    async def set_flow_run_state(self, run_id: UUID, state: State[Any], *, force: bool) -> None:
        assert force
        with self._answering():
            self.runs[self._known(run_id)] = state

    async def read_artifacts(self, *, flow_run_filter: Any) -> list[SimpleNamespace]:
        with self._answering():
            found = (each for run_id in flow_run_filter.id.any_ for each in self.artifacts.get(run_id, ()))
            return [SimpleNamespace(id=each) for each in found]

    async def delete_artifact(self, artifact_id: str) -> None:
        with self._answering():
            for artifacts in self.artifacts.values():
                artifacts.discard(artifact_id)

    async def delete_flow_run(self, run_id: UUID) -> None:
        with self._answering():
            if run_id in self.broken:
                raise self.broken[run_id]
            del self.runs[self._known(run_id)]

    def resume(self, run_id: UUID) -> None:
        """Start a suspended run again; Prefect refuses it for any other."""
        if self.runs[run_id].is_paused():
            self.runs[run_id] = Scheduled(name="Resuming")
            self.resumed.add(run_id)

    def propose(self, run_id: UUID, state: State[Any]) -> None:
        """Set a state as a run's own engine does: what has ended stays as it is, and only what runs can be paused."""
        before = self.runs.get(run_id)
        if before is None or before.is_final() or (state.is_paused() and not before.is_running()):
            return
        if state.is_running():  # which is no new attempt for a run that was resumed
            self.counts[run_id] += run_id not in self.resumed
            self.resumed.discard(run_id)
        self.runs[run_id] = state

    def of_type(self, *types: str) -> list[UUID]:
        """Return the runs in a state of one of the types, in the order of their creation."""
        return [run_id for run_id, state in self.runs.items() if state.type.value in types]

    def _known(self, run_id: UUID) -> UUID:
        if run_id not in self.runs:
            raise ObjectNotFound(KeyError(run_id))
        return run_id

    @contextmanager
    def _answering(self) -> Iterator[None]:
        self.asked += 1
        if self.is_down:
            raise httpx.ConnectError("Prefect's server is down")
        yield
        if self.loses_answers:
            self.loses_answers = False
            raise httpx.ReadError("the connection broke before the answer")


@dataclass
class Engine:
    """A thread of a worker with an engine: it holds the folder until it lets go, or its process dies."""

    workspace: Workspace
    prefect: Prefect
    run_id: UUID
    worker: str
    held: ExitStack = field(default_factory=ExitStack)
    done: int = 0
    in_flight: int = 0
    phase: Phase = "begun"
    stop: Intent = "run"
    end: State[Any] = field(default_factory=Completed)
    attempt: int = 0
    began_at: datetime | None = None

    @property
    def job_id(self) -> str:
        return self.prefect.jobs[self.run_id]

    def begin(self) -> bool:
        """Begin as the flow does, and tell whether there is anything to be done."""
        self.prefect.propose(self.run_id, Running())
        if self.run_id not in self.prefect.runs or not self.prefect.runs[self.run_id].is_running():
            return False
        self.attempt = self.prefect.counts[self.run_id]
        try:
            job = self.workspace.jobs.get(self.job_id)
        except NotFound:
            self.prefect.propose(self.run_id, Failed())
            return False
        if job.status in TERMINAL:
            self.prefect.propose(self.run_id, Completed())
            return False
        return True

    def engage(self) -> None:
        """Take the folder, which nobody may hold, and hear what is wanted."""
        if self._was_left_paused():
            self.leave_with(self.prefect.runs[self.run_id])
            return
        try:
            self.held.enter_context(self.workspace.folder(self.job_id).lock.held())
        except NotFound:
            self.leave_with(Failed())
            return
        self.held.callback(self._leave_nothing_of_what_is_gone)
        self.phase = "engaged"
        earlier = self.workspace.jobs.progress([self.job_id]).get(self.job_id)
        self.done = earlier.counts["qa"]["judge"].done if earlier else 0
        self.began_at = utcnow()
        self.report()

    def _leave_nothing_of_what_is_gone(self) -> None:
        if self.workspace.jobs.unknown([self.job_id]):
            self.workspace.folder(self.job_id).remove()

    def _was_left_paused(self) -> bool:
        """Have a paused job go on whose run was resumed in Prefect, and tell whether it was not."""
        with suppress(NotFound, Conflict):
            job = self.workspace.jobs.get(self.job_id)
            if job.status == "paused" and job.intent == "pause":
                run = self.prefect.runs.get(self.run_id)
                if run is None or run.is_paused():
                    return True
                self.workspace.jobs.want(job.id, "run")
        return False

    def report(self, *, is_ready: bool = False, failure: Failure | None = None) -> Intent:
        """Report how far the job is; returns what the user wants of it."""
        stages: dict[Stage, Count] = {"generate": Count(SAMPLES, SAMPLES), "judge": Count(self.done, SAMPLES)}
        ready_at = utcnow() if is_ready else None
        progress = Progress(
            self.job_id, self.attempt, self.worker, utcnow(), {"qa": stages}, ready_at, failure, self.began_at
        )
        intent = self.workspace.jobs.report(progress)
        if intent != "run" and self.stop != "cancel":
            self.stop = "pause" if intent == "pause" else "cancel"
        if self.stop == "cancel":
            self.in_flight = 0
        return intent

    def complete(self) -> None:
        """Have all results there, and say so; Prefect is told by `let_go`."""
        self.done, self.in_flight = SAMPLES, 0
        self.workspace.folder(self.job_id).write_summaries([])
        self.report(is_ready=True)

    def leave_with(self, state: State[Any]) -> None:
        """Let go of the folder, before the flow run ends in a state."""
        assert not self.in_flight
        self.held.close()
        self.phase, self.end = "leaving", state

    def let_go(self) -> None:
        """End the flow run."""
        self.prefect.propose(self.run_id, self.end)
