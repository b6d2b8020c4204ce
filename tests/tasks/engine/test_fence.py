"""Engines that see no lock of each other: what was taken over from one that stood still is its successor's alone."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from core.errors import Superseded
from core.job import Job, Progress, utcnow
from store.db.connect import connect, writing
from store.db.leases import WHOLE, Lease
from store.db.tables import job_leases
from store.workspace import Workspace
from tasks.engine.calls import Stopped
from tasks.engine.engine import Engine
from tasks.engine.tenure import awake_s
from tasks.generate import generate_shard
from tests.conftest import WAIT_S, until
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, model, rows, spec

LONG_AGO = 1.0


def expire(workspace: Workspace, job: Job) -> None:
    """Have the lease of a job be as one that nobody has renewed for long."""
    with writing(engine := connect(workspace.settings.jobs_url)) as connection:
        connection.execute(sa.update(job_leases).where(job_leases.c.job_id == job.id).values(until=LONG_AGO))
    engine.dispose()


def lapse(engine: Engine) -> None:
    """Have an engine be as one that has stood still, and has not reported since."""
    assert engine.fence.tenure is not None
    engine.fence.tenure.renewed(awake_s(), 0.0)


def take_over(lab: Lab, job: Job, block: str = WHOLE) -> Lease:
    def taken() -> Lease | None:  # none if its engine has renewed it in between
        expire(lab.workspace, job)
        lease = lab.workspace.leases.take(job.id, "successor", block=block)
        return lease if isinstance(lease, Lease) else None

    return until("the lease to be had", taken)


def test_an_engine_whose_job_was_taken_over_stops_and_says_by_whom(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    with lab.engaged(job) as engine:
        take_over(lab, job)
        until("the engine to hear of it", lambda: engine.stop == "superseded")
        before = lab.progress(job).heartbeat_at
        with pytest.raises(Stopped):
            generate_shard(engine, engine.manifest.shards[0], final=True)
    assert lab.model.calls == []
    assert lab.progress(job).heartbeat_at == before
    assert (
        lab.said[-1] == "successor (epoch 2) has taken the job over while lab (epoch 1) was not heard of, which stops"
    )
    assert lab.workspace.leases.is_held(job.id)  # by the successor, from which it takes nothing


def test_what_an_engine_would_publish_after_it_was_taken_over_is_not_put_in_its_place(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    with lab.engaged(job) as engine:
        shard = engine.manifest.shards[0]
        take_over(lab, job)
        lapse(engine)  # it has just come to itself, and has not reported
        with pytest.raises(Stopped):
            engine.folder.finish_generate(shard, [], [])
        assert not engine.folder.calls_file("generate", shard).exists()
        assert not engine.folder.is_finished("generate", shard)


def test_an_engine_that_nobody_has_taken_over_from_goes_on(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    with lab.engaged(job) as engine:
        lapse(engine)
        expire(lab.workspace, job)
        generate_shard(engine, engine.manifest.shards[0], final=True)
        assert engine.fence.tenure is not None
        assert not engine.fence.tenure.lapsed
    assert len(lab.model.calls) == 2


def test_an_engine_waits_for_one_elsewhere_until_that_is_given_back_or_ends(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    elsewhere = lab.workspace.leases.take(job.id, "elsewhere")
    assert isinstance(elsewhere, Lease)
    assert lab.workspace.is_held(job.id)
    with lab.workspace.vacant(job.id) as is_vacant:
        assert not is_vacant
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(lab.carry_out, job)
        lab.workspace.leases.give_back(elsewhere)
        [summary] = waiting.result(WAIT_S)
    assert summary.count == 2
    assert not lab.workspace.is_held(job.id)


def test_a_report_of_a_late_engine_is_refused(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    lease, report = lab.workspace.leases.take(job.id, "a"), Progress(job.id, 1, "a", utcnow())
    assert isinstance(lease, Lease)
    assert lab.workspace.jobs.report(report, lease) == "run"
    take_over(lab, job)
    with pytest.raises(Superseded, match=r"successor \(epoch 2\) has taken the job over while a \(epoch 1\)"):
        lab.workspace.jobs.report(report, lease)
    assert lab.workspace.jobs.report(report) == "run"  # of a run that has no engine yet
