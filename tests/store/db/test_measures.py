from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.counted import Counted
from core.job import Progress, utcnow
from store.db.connect import writing
from store.db.jobs import Jobs
from store.db.measures import ALIVE_S, LONGEST_MODEL, MOST_MODELS, OTHERS, Measures
from store.db.tables import jobs as jobs_table
from store.files.contents import Files
from tests.store.db.test_jobs import new_job


@pytest.fixture
def jobs(engine: sa.Engine, tmp_path) -> Jobs:
    return Jobs(engine, Files(engine, tmp_path / "files"))


@pytest.fixture
def measures(engine: sa.Engine) -> Measures:
    return Measures(engine)


def calls(model: str) -> Counted:
    return Counted("calls", model, "answered")


def test_what_is_added_adds_up_and_outlasts_the_process_that_added_it(engine, measures):
    measures.add({calls("m"): 3, Counted("seconds", "m"): 0.5})
    Measures(engine).add({calls("m"): 2, calls("n"): 1})
    measures.add({})
    assert measures.read().counts == {calls("m"): 5, calls("n"): 1, Counted("seconds", "m"): 0.5}


def test_models_beyond_the_first_hundred_are_one_and_names_are_cut(measures):
    measures.add({calls(f"m{n:03}"): 1 for n in range(MOST_MODELS - 1)} | {calls("z" * 10_000): 1})
    measures.add({calls("zz-late"): 1, calls("zz-later"): 1, calls("m000"): 1})
    counts = measures.read().counts
    assert len(counts) == MOST_MODELS + 1
    assert counts[calls("z" * LONGEST_MODEL)] == 1
    assert (counts[calls(OTHERS)], counts[calls("m000")]) == (2, 2)


def test_jobs_are_counted_by_status_and_deleted_ones_are_not(jobs, measures):
    first, second, third = (jobs.add(new_job(), {}) for _ in range(3))
    jobs.settle(first.id, status="running")
    jobs.want(third.id, "delete")
    assert measures.read().jobs == {"running": 1, "created": 1}
    assert second.status == "created"


def test_the_oldest_job_that_waits_says_since_when(engine, jobs, measures):
    assert measures.read().waiting_since is None
    waits, begun, paused = (jobs.add(new_job(), {}) for _ in range(3))
    jobs.settle(begun.id, status="running")
    jobs.want(paused.id, "pause")
    with writing(engine) as connection:
        earlier = {"created_at": waits.created_at - timedelta(hours=1)}
        connection.execute(sa.update(jobs_table).where(jobs_table.c.id != waits.id).values(earlier))
    assert measures.read().waiting_since == waits.created_at


def test_engines_and_workers_are_those_that_have_reported_just_now(jobs, measures):
    now = utcnow()
    for worker, age_s in (("a", 0), ("a", 1), ("b", 0), ("c", ALIVE_S + 1)):
        job = jobs.add(new_job(), {})
        jobs.report(Progress(job_id=job.id, attempt=1, worker=worker, heartbeat_at=now - timedelta(seconds=age_s)))
    read = measures.read()
    assert (read.engines, read.workers) == (3, 2)
