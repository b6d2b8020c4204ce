"""A job's life in random order: whatever is done to it, and whatever dies, it keeps to the documented ways.

The store, the control loop's steps and the locks are real; Prefect and the workers are small models.
`ASSAY_LIVES` and `ASSAY_STEPS` set how many lives are led, and how long they are.
"""

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Step
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from prefect.states import Cancelling, Completed, Crashed, Failed, Paused, Pending

from core.errors import Conflict, NotFound
from core.job import TERMINAL, Failure, Intent, Job, JobStatus, NewJob, Transition, random_id
from core.queries.lists import Listing, OneOf
from core.settings import Settings
from core.steering import CAN_PAUSE, CAN_RESUME, OPEN
from flows.control import dispatch as dispatching
from flows.control import reconcile, troubles, watch
from flows.control.deaths import MAX_CRASHES
from flows.control.dispatch import dispatch
from flows.control.endings import Endings
from flows.control.loop import go_round
from flows.control.reconcile import AT_REST, POLL_INTERVAL_S, Reconciler
from flows.control.troubles import Troubles
from flows.control.watch import UNSTARTED_S, Watch
from flows.worker.wake import was_stopped
from store.db.connect import connect, reading
from store.db.tables import job_progress, secrets
from store.workspace import Workspace
from tests.flows.model import DEPLOYMENT, SAMPLES, STOPPED, Clock, Engine, Phase, Prefect

LIVES: Final = int(os.environ.get("ASSAY_LIVES", "12"))
STEPS: Final = int(os.environ.get("ASSAY_STEPS", "40"))

ENDS: Final = frozenset({"cancelled", "completed", "failed", "unknown"})
ONWARD: Final = frozenset({"running", "pausing", "paused", "resuming", "cancelling"}) | ENDS

DOCUMENTED: Final[Mapping[JobStatus, frozenset[str]]] = {
    "created": ONWARD | {"pending"},
    "pending": ONWARD,
    "running": ONWARD - {"running"},
    "pausing": ONWARD - {"pausing"},
    "paused": ONWARD - {"paused"},
    "resuming": ONWARD - {"resuming"},
    "cancelling": ENDS,
    **dict.fromkeys(TERMINAL, frozenset()),
}
"""Where each status may lead: onward, past what came and went between two looks, and never back."""

LOOKS: Final = 12
"""By then every job has ended that all is well with."""

INTENTS: Final = st.sampled_from(["pause", "pause", "run", "run", "cancel", "delete"])


class Life(RuleBasedStateMachine):
    """Users, workers, Prefect and the control loop at a few jobs; `workspace` and `clock` are set from outside."""

    workspace: Workspace
    engine: sa.Engine
    clock: Clock
    counted: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.prefect, self.loop = Prefect(), asyncio.Runner()
        self.ids: list[str] = []
        self.deleted: set[str] = set()
        self.failed: set[str] = set()
        self.seen: dict[str, tuple[Transition, ...]] = {}
        self.listed: dict[str, int] = {}
        self.engines: list[Engine] = []
        self.workers = 1
        self.has_lost_a_run = False
        self._start_control()

    def teardown(self) -> None:
        """Let all go on that can; then every job has ended, and what was deleted is gone."""
        try:
            self._live_out()
            for job_id in self.ids:
                self._check_end(job_id)
        finally:  # the next life begins with nothing
            self._die()
            for job_id in self.ids:
                self.workspace.folder(job_id).remove()
                self.workspace.jobs.remove(job_id)
            self.counted["lives"] += 1
            self.loop.close()

    def _live_out(self) -> None:
        self.prefect.is_down = False
        for _ in range(LOOKS):
            if not self.workspace.jobs.open():
                return
            self._resume_all()
            self._work()
            self._pass(UNSTARTED_S + 1)
            self._look()
            self.life_is_as_documented()
        assert not self.workspace.jobs.open(), self.prefect.runs

    # What users do.

    @initialize()
    def begin_two(self) -> None:
        self.create()
        self.create()
        self.go_on()

    @precondition(lambda self: len(self.ids) < 4)
    @rule()
    def create(self) -> None:
        job_id = random_id("job-")
        job = NewJob(job_id, "nemo-v2", {}, job_id, spec=None)
        added = self.workspace.jobs.add(job, self.workspace.vault.encrypt({random_id(""): "a key"}))
        assert (added.status, added.intent) == ("created", "run")
        self.ids.append(job_id)

    @rule(data=st.data(), intent=INTENTS)
    def want(self, data: st.DataObject, intent: Intent) -> None:
        self._want(data.draw(st.sampled_from(self.ids)), intent)

    @rule(data=st.data(), intent=INTENTS)
    def want_during_a_look(self, data: st.DataObject, intent: Intent) -> None:
        self.prefect.meanwhile = partial(self._want, data.draw(st.sampled_from(self.ids)), intent)
        self._pass(POLL_INTERVAL_S)
        self._look()

    # What is done in Prefect's UI.

    @precondition(lambda self: self.prefect.of_type("RUNNING", "PAUSED", "PENDING"))
    @rule(data=st.data())
    def cancel_in_prefect(self, data: st.DataObject) -> None:
        run_id = self._draw_run(data, "RUNNING", "PAUSED", "PENDING")
        self.prefect.runs[run_id] = Cancelling()

    @precondition(lambda self: self.prefect.of_type("RUNNING"))
    @rule(data=st.data(), is_heard=st.booleans())
    def suspend_in_prefect(self, data: st.DataObject, is_heard: bool) -> None:
        """Suspend a run; its engine may hear of it from Prefect before anybody else."""
        run_id = self._draw_run(data, "RUNNING")
        self.prefect.runs[run_id] = Paused(name="Suspended")
        for engine in self._asking() if is_heard else ():
            if engine.run_id == run_id:
                engine.stop = "pause"
                self._stop(engine)

    @precondition(lambda self: self.prefect.of_type("PAUSED"))
    @rule(data=st.data())
    def resume_in_prefect(self, data: st.DataObject) -> None:
        self.prefect.resume(self._draw_run(data, "PAUSED"))

    @precondition(lambda self: self.prefect.runs and not self.has_lost_a_run)
    @rule(data=st.data())
    def delete_in_prefect(self, data: st.DataObject) -> None:
        self.has_lost_a_run = True
        del self.prefect.runs[data.draw(st.sampled_from(list(self.prefect.runs)))]

    # What workers do.

    @rule()
    def go_on(self) -> None:
        """Have all healthy for a while: what is to begin begins, and what is wanted is heard."""
        self.prefect.is_down = False
        self._look()
        self._begin_all()
        self._pass(1.0)
        self._look()

    @precondition(lambda self: self.prefect.of_type("SCHEDULED"))
    @rule(data=st.data())
    def take_up(self, data: st.DataObject) -> None:
        self.prefect.runs[self._draw_run(data, "SCHEDULED")] = Pending()

    @precondition(lambda self: self.prefect.of_type("PENDING"))
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Begin a run, of which another worker may have a thread that has not ended."""
        self._begin(self._draw_run(data, "PENDING"))

    @precondition(lambda self: self._free())
    @rule(data=st.data())
    def engage(self, data: st.DataObject) -> None:
        self._engage(data.draw(st.sampled_from(self._free())))

    @precondition(lambda self: self._asking())
    @rule(data=st.data(), calls=st.integers(1, 2))
    def ask(self, data: st.DataObject, calls: int) -> None:
        """Have an engine make calls, which it does until it hears that it is to stop."""
        data.draw(st.sampled_from(self._asking())).in_flight += calls
        self.counted["calls"] += calls

    @precondition(lambda self: self._in("engaged"))
    @rule(data=st.data(), more=st.integers(0, 2))
    def report(self, data: st.DataObject, more: int) -> None:
        self._report(data.draw(st.sampled_from(self._in("engaged"))), more)

    @precondition(lambda self: self._in("engaged"))
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        """Have the calls of an engine answered; it ends if that is what it waited for."""
        engine = data.draw(st.sampled_from(self._in("engaged")))
        engine.in_flight = 0
        self._stop(engine)

    @precondition(lambda self: self._asking())
    @rule(data=st.data(), dies=st.booleans())
    def complete(self, data: st.DataObject, dies: bool) -> None:
        """Have all done; a worker may die before it could tell Prefect."""
        engine = data.draw(st.sampled_from(self._asking()))
        engine.complete()
        if dies:
            self._die()
        else:
            engine.leave_with(Completed())

    @precondition(lambda self: self._in("engaged"))
    @rule(data=st.data(), says_why=st.booleans())
    def fail(self, data: st.DataObject, says_why: bool) -> None:
        engine = data.draw(st.sampled_from(self._in("engaged")))
        engine.in_flight = 0
        if says_why:
            engine.report(failure=Failure(blame="user", code="dataset_unreadable", message="no rows"))
        self.failed.add(engine.job_id)
        engine.leave_with(Failed())

    @precondition(lambda self: self._in("leaving"))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self._leave(data.draw(st.sampled_from(self._in("leaving"))))

    @rule()
    def have_all_begin_during_a_look(self) -> None:
        self.prefect.meanwhile = self._have_all_ask
        self._pass(POLL_INTERVAL_S)
        self._look()

    @rule(data=st.data(), intent=INTENTS)
    def have_all_begin_as_the_user_wants_something(self, data: st.DataObject, intent: Intent) -> None:
        self._want(data.draw(st.sampled_from(self.ids)), intent)
        self.prefect.meanwhile = self._have_all_ask
        self._look()

    @precondition(lambda self: self.engines)
    @rule(stopped=st.booleans())
    def kill_worker(self, stopped: bool) -> None:
        """Let go of all locks, and say nothing to Prefect; a worker that is stopped leaves word of it."""
        if stopped:
            word = self.workspace.settings.home / "run" / "stopped" / self._worker
            word.parent.mkdir(parents=True, exist_ok=True)
            word.touch()
            assert was_stopped(self.workspace.settings.home, self._worker)
        self._die()

    @precondition(lambda self: self._orphans())
    @rule(data=st.data())
    def miss_heartbeats(self, data: st.DataObject) -> None:
        self.prefect.runs[data.draw(st.sampled_from(self._orphans()))] = Crashed()

    # What the service does, and what befalls it.

    @rule(seconds=st.sampled_from([0.0, 1.0, 4.0, 11.0, 16.0]))
    def wait(self, seconds: float) -> None:
        self._pass(seconds)
        self._look()

    @rule()
    def restart_service(self) -> None:
        self._start_control()

    @rule()
    def stop_prefect(self) -> None:
        self.prefect.is_down = True

    @rule()
    def lose_an_answer_of_prefect(self) -> None:
        self.prefect.loses_answers = True

    # What always holds.

    @invariant()
    def no_call_is_in_flight_while_a_job_is_at_rest(self) -> None:
        for engine in self.engines:
            job = self._find(engine.job_id) if engine.in_flight else None
            assert job is None or job.status not in AT_REST, job.history
            assert not engine.in_flight or self.workspace.folder(engine.job_id).lock.is_held()

    @invariant()
    def life_is_as_documented(self) -> None:
        self.counted["steps"] += 1
        for job_id in self.ids:
            job = self._find(job_id)
            if job is None:
                assert job_id in self.deleted
                continue
            known = self.seen.get(job_id, ())
            assert job.history[: len(known)] == known
            self.seen[job_id] = job.history
            self.counted.update(f"times {status}" for status, _ in job.history[len(known) :])
            _check_history(job)
            assert job.crashes <= MAX_CRASHES + 1

    @invariant()
    def what_was_deleted_is_not_found(self) -> None:
        for job_id in self.deleted:
            with pytest.raises(NotFound):
                self.workspace.jobs.get(job_id, "nemo-v2")
            with pytest.raises(NotFound):
                self.workspace.jobs.status(job_id)

    @invariant()
    def counts_add_up(self) -> None:
        shown = set(self.ids) - self.deleted
        page, total = self.workspace.jobs.page("nemo-v2", Listing())
        assert (total, {job.id for job in page}) == (len(shown), shown)
        for report in self.workspace.jobs.progress(self.ids).values():
            assert all(0 <= count.done <= count.total for count in report.counts["qa"].values())

    @rule()
    def list_by_status(self) -> None:
        for status in DOCUMENTED:
            page, total = self.workspace.jobs.page("nemo-v2", Listing((OneOf(("status",), (status,)),)))
            assert len(page) == total
            assert {job.status for job in page} <= {status}
            self.listed[status] = total
        assert sum(self.listed.values()) == len(set(self.ids) - self.deleted)

    # How it is done.

    @property
    def _worker(self) -> str:
        return f"worker-{self.workers}"

    def _start_control(self) -> None:
        self.woken = threading.Event()
        self.endings = Endings(self.workspace, lambda _: None, self.woken.set)
        self.troubles = Troubles()
        self.reconciler = Reconciler(self.workspace, self.endings, self.troubles)

    def _look(self) -> None:
        """Go once through the control loop, which goes on with what it remembers where Prefect fails it."""
        client: Any = self.prefect
        steps = {
            "a look": partial(self.reconciler.look, client),
            "dispatch": partial(dispatch, client, self.workspace, DEPLOYMENT, self.reconciler, self.troubles),
        }
        with suppress(httpx.TransportError):
            self.loop.run(go_round(steps, self.troubles))
        while any(map(self.endings.is_at_work, self.ids)):
            self.woken.wait(0.01)

    def _pass(self, seconds: float) -> None:
        """Let time pass; an engine that is alive reports once a second."""
        self.clock.passed_s += seconds
        for engine in list(self.engines) if seconds else ():
            if engine.phase == "begun" and engine in self._free():
                self._engage(engine)
            elif engine.phase == "engaged":
                self._report(engine, 0)
            elif engine.phase == "leaving":
                self._leave(engine)

    def _find(self, job_id: str) -> Job | None:
        try:
            return self.workspace.jobs.get(job_id)
        except NotFound:
            return None

    def _draw_run(self, data: st.DataObject, *types: str) -> UUID:
        return data.draw(st.sampled_from(self.prefect.of_type(*types)))

    def _in(self, phase: Phase) -> list[Engine]:
        return [engine for engine in self.engines if engine.phase == phase]

    def _asking(self) -> list[Engine]:
        return [engine for engine in self._in("engaged") if engine.stop == "run"]

    def _free(self) -> list[Engine]:
        """Return the engines that may begin to work: the lock of no other is in their way."""
        held = {engine.run_id for engine in self._in("engaged")}
        return [engine for engine in self._in("begun") if engine.run_id not in held]

    def _orphans(self) -> list[UUID]:
        """Return the runs that Prefect may come to take for dead; late, they may be scheduled again."""
        at_work = {engine.run_id for engine in self.engines}
        return [run_id for run_id in self.prefect.of_type("RUNNING", "CANCELLING") if run_id not in at_work]

    def _want(self, job_id: str, intent: Intent) -> None:
        """Want something of a job, which is taken exactly where it makes sense."""
        allowed = {"cancel": OPEN, "pause": CAN_PAUSE, "run": CAN_RESUME, "delete": OPEN | TERMINAL}[intent]
        before = self._find(job_id)
        try:
            job = self.workspace.jobs.want(job_id, intent)
        except NotFound:
            assert before is None or job_id in self.deleted
        except Conflict:
            assert before is not None
            assert before.status not in allowed
        else:
            assert before is not None
            assert before.status in allowed
            assert job.intent == intent
            self.deleted |= {job_id} if intent == "delete" else set()

    def _begin_all(self) -> None:
        for run_id in self.prefect.of_type("SCHEDULED"):
            self.prefect.runs[run_id] = Pending()
        for run_id in self.prefect.of_type("PENDING"):
            self._begin(run_id)
        while free := self._free():
            self._engage(free[0])

    def _have_all_ask(self) -> None:
        self._begin_all()
        for engine in self._asking():
            engine.in_flight += 1
            self.counted["calls"] += 1

    def _begin(self, run_id: UUID) -> None:
        engine = Engine(self.workspace, self.prefect, run_id, self._worker)
        if engine.begin():
            self.engines.append(engine)

    def _engage(self, engine: Engine) -> None:
        engine.engage()
        self._stop(engine)

    def _report(self, engine: Engine, more: int) -> None:
        engine.done = min(SAMPLES, engine.done + more)
        engine.report()
        self._stop(engine)

    def _stop(self, engine: Engine) -> None:
        """Let an engine end that is to stop, once none of its calls is in flight."""
        if engine.phase == "engaged" and engine.stop != "run" and not engine.in_flight:
            engine.leave_with(STOPPED[engine.stop]())

    def _leave(self, engine: Engine) -> None:
        self.engines.remove(engine)
        engine.let_go()

    def _die(self) -> None:
        for engine in self.engines:
            engine.held.close()
        self.engines.clear()
        self.workers += 1

    def _resume_all(self) -> None:
        for job in self.workspace.jobs.open():
            if job.status in CAN_RESUME and job.intent != "delete":
                self.workspace.jobs.want(job.id, "run")

    def _work(self) -> None:
        """Have a healthy worker do all that there is."""
        for _ in range(2):  # threads that wait for another's lock come after it
            self._begin_all()
            for engine in self._in("engaged"):
                engine.in_flight = 0
                self._report(engine, SAMPLES)
            for engine in self._asking():
                engine.complete()
                engine.leave_with(Completed())
            for engine in self._in("leaving"):
                self._leave(engine)

    def _check_end(self, job_id: str) -> None:
        """Check that a job has ended as its record says, and kept no key, or has left nothing."""
        folder = self.workspace.folder(job_id)
        with reading(self.engine) as connection:
            keys = connection.scalar(
                sa.select(sa.func.count()).select_from(secrets).where(secrets.c.owner_id == job_id)
            )
            reports = connection.scalar(
                sa.select(sa.func.count()).select_from(job_progress).where(job_progress.c.job_id == job_id)
            )
        assert keys == 0
        job = self._find(job_id)
        if job_id in self.deleted:
            assert (job, reports) == (None, 0)
            assert not list(self.workspace.results.glob(f"*{job_id}*"))
            return
        assert job is not None
        assert job.status in TERMINAL
        assert job.finished_at is not None
        assert folder.read_status() == job.status
        assert (job.failure is not None) == (job.status == "failed")
        assert job.status != "failed" or job.crashes or job_id in self.failed, "a healthy job has failed"
        assert job.status != "completed" or folder.read_summaries() is not None


def _check_history(job: Job) -> None:
    statuses = [status for status, _ in job.history]
    assert statuses[0] == "created"
    assert statuses[-1] == job.status
    for before, after in pairwise(statuses):
        assert after in DOCUMENTED[before], statuses
    assert sum(status in TERMINAL for status in statuses) <= 1
    times = [at for _, at in job.history]
    assert times == sorted(times)


@pytest.mark.thorough
def test_whatever_happens_a_job_lives_as_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    clock, home = Clock(), Settings(home=tmp_path)
    for module in (dispatching, reconcile, troubles, watch):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(reconcile, "Watch", lambda: Watch(heartbeat_since=clock.monotonic()))
    workspace, engine = Workspace.open(home, migrating=True), connect(home.jobs_url)
    with closing(workspace):
        surroundings: dict[str, Any] = {"workspace": workspace, "engine": engine, "clock": clock, "counted": Counter()}
        run_state_machine_as_test(
            type("LifeHere", (Life,), surroundings),
            settings=settings(
                max_examples=LIVES,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize="ASSAY_LIVES" not in os.environ,
                phases=[Step.generate],  # to find the shortest life of its kind takes minutes
                suppress_health_check=list(HealthCheck),
            ),
        )
    engine.dispose()
    for what, count in sorted(surroundings["counted"].items()):
        record_property(what, count)
    assert surroundings["counted"]["times running"] > LIVES
