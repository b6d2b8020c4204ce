import threading

import pytest

from core.errors import StorageFull
from core.job import Failure, Job, NewJob, OpenJob, random_id
from core.settings import Settings
from flows.control.finish import finish
from flows.control.publish import Publisher
from store.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.open(Settings(home=tmp_path_factory.mktemp("home")), migrating=True)


def add(workspace: Workspace) -> str:
    job_id = random_id("job-")
    return workspace.jobs.add(NewJob(job_id, "nemo-v2", {}, job_id, spec=None)).id


def open_job(workspace: Workspace, job_id: str) -> OpenJob:
    return next(job for job in workspace.jobs.open() if job.id == job_id)


def test_a_job_is_published_beside_its_caller_and_once_at_a_time(workspace):
    let_go, woken, seen = threading.Event(), threading.Event(), []

    def publish(job: Job) -> None:
        seen.append(job.id)
        assert let_go.wait(10)

    publisher, job_id = Publisher(workspace, publish, woken.set), add(workspace)
    assert not publisher.is_at_work(job_id)
    assert [publisher.is_done(job_id) for _ in range(3)] == [False] * 3
    assert publisher.is_at_work(job_id)
    let_go.set()
    assert woken.wait(10)
    assert publisher.is_done(job_id)
    assert not publisher.is_at_work(job_id)
    assert publisher.failure(job_id) is None
    publisher.forget(job_id)
    assert not publisher.is_at_work(job_id)
    assert seen == [job_id]


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (StorageFull("no space is left"), Failure(blame="service", code="storage_full", message="no space is left")),
        (
            ValueError("what?"),
            Failure(
                blame="service",
                code="internal_error",
                message="The results could not be published: ValueError: what?",
            ),
        ),
    ],
)
def test_a_job_that_cannot_be_published_has_failed(workspace, error, failure):
    def publish(_: Job) -> None:
        raise error

    woken = threading.Event()
    publisher, job_id = Publisher(workspace, publish, woken.set), add(workspace)
    publisher.is_done(job_id)
    assert woken.wait(10)
    found = publisher.failure(job_id)
    assert found == failure
    finish(workspace, open_job(workspace, job_id), "completed", unpublished=found)
    job = workspace.jobs.get(job_id)
    assert (job.status, job.failure) == ("failed", failure)
