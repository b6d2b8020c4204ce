"""Requests that are sent again, and jobs that nobody waits for any more."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa

from core.errors import Conflict, NotFound
from core.job import Job, NewJob, random_id, utcnow
from core.spec import EvaluationSpec, RecordedTarget, RowsDataset, TaskSpec
from store.db.jobs import Jobs
from store.files.contents import Files

SPEC = EvaluationSpec(targets=(RecordedTarget(),), tasks=(TaskSpec(name="qa", dataset=RowsDataset(rows=[{"a": 1}])),))


def new(digest: str, key: str | None = None, **fields: Any) -> NewJob:
    job_id = random_id("job-")
    return NewJob(
        id=job_id, face="nemo-v2", spec=SPEC, request={}, name=job_id, digest=digest, idempotency_key=key, **fields
    )


@pytest.fixture
def jobs(engine: sa.Engine, tmp_path: Path) -> Jobs:
    return Jobs(engine, Files(engine, tmp_path / "files"))


def lately() -> Any:
    return utcnow() - timedelta(minutes=1)


def test_a_retry_returns_the_newest_job_of_its_digest(jobs: Jobs) -> None:
    first = jobs.add(new("same"))
    second = jobs.add(new("same"))
    assert first.id != second.id
    assert jobs.add(new("same"), repeats_since=lately()) == second
    assert jobs.add(new("other"), repeats_since=lately()).digest == "other"
    assert jobs.add(new("same"), repeats_since=utcnow() + timedelta(minutes=1)).id not in {first.id, second.id}


def test_a_key_returns_its_job_without_any_hint_and_only_to_its_face(jobs: Jobs) -> None:
    first = jobs.add(new("same", "key"))
    assert jobs.add(new("same", "key")) == first
    assert jobs.add(replace(new("same", "key"), face="nemo-v1")).id != first.id
    with pytest.raises(Conflict, match="Idempotency-Key"):
        jobs.add(new("other", "key"))
    jobs.want(first.id, "delete")
    assert jobs.add(new("other", "key")).digest == "other"


def test_of_requests_that_come_at_once_one_makes_the_job(jobs: Jobs) -> None:
    made: list[Job] = []
    threads = [Thread(target=lambda: made.append(jobs.add(new("d", "key")))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len({job.id for job in made}) == 1


def test_ephemeral_jobs_that_are_old_are_dropped(jobs: Jobs) -> None:
    old, kept = jobs.add(new("a", ephemeral=True)), jobs.add(new("b"))
    assert jobs.status(old.id) == "created"
    jobs.drop_ephemeral(old.created_at)
    assert jobs.status(old.id) == "created"
    jobs.drop_ephemeral(utcnow() + timedelta(seconds=1))
    with pytest.raises(NotFound):
        jobs.status(old.id)
    assert jobs.status(kept.id) == "created"
    assert jobs.get(old.id).intent == "delete"
