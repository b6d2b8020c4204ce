from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest

from core.job import JobStatus
from store.results.journal import read_journal
from tasks.engine.calls import Stopped
from tasks.engine.engine import Engine
from tasks.generate import generate_shard
from tasks.resolve import resolve_job
from tests.conftest import WAIT_S, until
from tests.scripted import Answer, Received, last_content, silence, text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, model, rows, spec


def slowly(request: Received) -> Answer:
    return text(last_content(request["body"]).rpartition("ANSWER:")[2].strip(), delay_s=0.1)


def carrying_on(engine: Engine) -> Callable[[], object]:
    return lambda: generate_shard(engine, engine.manifest.shards[0], final=False)


def test_a_pause_ends_the_shard_with_every_paid_call_in_its_journal(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(25), CORRECT, parallelism=2))
    with lab.engaged(job) as engine, ThreadPoolExecutor() as threads:

        def held(call: Received) -> Answer:
            if len(lab.model.calls) > 4:
                until("the pause to be heard of", lambda: engine.stop)
            return slowly(call)

        lab.model.script = held
        shard = engine.manifest.shards[0]
        stopping = threads.submit(carrying_on(engine))
        until("a call", lambda: lab.model.calls)
        lab.workspace.jobs.want(job.id, "pause")
        assert isinstance(stopping.exception(timeout=WAIT_S), Stopped)
        assert engine.stop == "pause"
        paid = len(lab.model.calls)
        assert len(read_journal(engine.folder.journals.path("generate", shard)).calls) == paid < 25
    lab.workspace.jobs.want(job.id, "run")
    lab.model.latency_s, lab.model.script = 0.0, lambda call: text("a0")
    lab.carry_out(job)
    assert len(lab.model.calls) == 25
    assert len(set(lab.asked)) == 25


@pytest.mark.parametrize("intent", ["cancel", "delete"])
def test_a_cancellation_does_not_wait_for_the_calls_in_flight(lab: Lab, intent: Literal["cancel", "delete"]) -> None:
    lab.model.script = lambda _: silence()
    job = lab.add(spec(model(lab.model.url), rows(25), CORRECT, parallelism=4, request_timeout_s=2 * WAIT_S))
    with lab.engaged(job) as engine, ThreadPoolExecutor() as threads:
        stopping = threads.submit(carrying_on(engine))
        until("four calls in flight", lambda: len(lab.model.calls) == 4)
        lab.workspace.jobs.want(job.id, intent)
        assert isinstance(stopping.exception(timeout=WAIT_S), Stopped)
        assert engine.stop == "cancel"
        assert not engine.folder.is_finished("generate", engine.manifest.shards[0])
    assert len(lab.model.calls) == 4


def test_a_job_that_is_cancelled_before_it_begins_asks_nothing(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    lab.workspace.jobs.want(job.id, "cancel")
    engine = Engine(lab.workspace, job, attempt=1, worker="lab", tell=str)
    with engine.engaged(), pytest.raises(Stopped):
        resolve_job(engine)
    assert lab.model.calls == []
    assert engine.stop == "cancel"


def test_a_shard_that_fails_the_job_stops_the_others(lab: Lab) -> None:
    lab.model.script = lambda _: silence()
    job = lab.add(spec(model(lab.model.url), rows(25), CORRECT, parallelism=4, request_timeout_s=2 * WAIT_S))
    with lab.engaged(job) as engine, ThreadPoolExecutor() as threads:
        stopping = threads.submit(carrying_on(engine))
        until("four calls in flight", lambda: len(lab.model.calls) == 4)
        engine.abandon()
        assert isinstance(stopping.exception(timeout=WAIT_S), Stopped)
        lab.workspace.jobs.want(job.id, "cancel")
    assert engine.stop == "cancel"


def test_a_job_that_has_failed_is_not_paused(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    with lab.engaged(job) as engine:
        engine.abandon()
        lab.workspace.jobs.want(job.id, "pause")
    assert engine.stop == "fail"
    assert lab.progress(job).results_ready_at is None


def test_an_engine_whose_job_is_gone_stops(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    with lab.engaged(job):
        pass  # the rows are frozen: their file goes with the job
    lab.workspace.jobs.remove(job.id)
    with lab.engaged(job) as engine, pytest.raises(Stopped):
        carrying_on(engine)()
    assert lab.workspace.jobs.progress([job.id]) == {}
    assert lab.model.calls == []


@pytest.mark.parametrize("ended", ["cancelled", "failed", "completed"])
def test_an_engine_that_comes_after_its_job_has_ended_asks_nothing(lab: Lab, ended: JobStatus) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    lab.workspace.jobs.settle(job.id, status=ended)
    with pytest.raises(Stopped), lab.engaged(job) as engine:
        carrying_on(engine)()
    assert lab.model.calls == []
    assert lab.workspace.jobs.progress([job.id]) == {}


def test_no_call_is_in_flight_or_begins_once_an_engine_has_let_go(lab: Lab) -> None:
    lab.model.script = lambda _: silence()
    job = lab.add(spec(model(lab.model.url), rows(25), CORRECT, parallelism=4, request_timeout_s=60))
    with ThreadPoolExecutor() as threads:
        with lab.engaged(job) as engine:
            shard = threads.submit(carrying_on(engine))
            until("four calls", lambda: len(lab.model.calls) == 4)
        assert isinstance(shard.exception(timeout=WAIT_S), Stopped)
        until("no connection being open", lambda: not lab.model.open)
        with pytest.raises(Stopped):
            carrying_on(engine)()
    assert len(lab.model.calls) == 4
