import os
import threading

import pytest
from prefect.states import Failed

from core.errors import StorageFull
from core.job import Failure, Job, NewJob, OpenJob, random_id
from core.settings import Settings
from flows.control.endings import Endings
from flows.control.finish import Ending, finish
from store.workspace import Workspace
from tests.conftest import WAIT_S, until
from tests.flows.control.service import Service


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
        assert let_go.wait(WAIT_S)

    endings, job_id = Endings(workspace, publish, woken.set), add(workspace)
    assert not endings.is_at_work(job_id)
    assert [endings.of(job_id, "completed") for _ in range(3)] == [None] * 3
    assert endings.is_at_work(job_id)
    let_go.set()
    assert woken.wait(WAIT_S)
    assert endings.of(job_id, "completed") == Ending(usage=())
    assert not endings.is_at_work(job_id)
    endings.forget(job_id)
    assert not endings.is_at_work(job_id)
    assert seen == [job_id]


def test_a_job_is_not_published_that_has_not_completed(workspace):
    def publish(job: Job) -> None:
        pytest.fail(f"{job.id} was published")

    woken = threading.Event()
    endings, job_id = Endings(workspace, publish, woken.set), add(workspace)
    endings.of(job_id, "cancelled")
    assert woken.wait(WAIT_S)
    assert endings.of(job_id, "cancelled") == Ending(usage=())


def test_an_end_that_cannot_be_prepared_is_prepared_again(workspace):
    endings, job_id = Endings(workspace, lambda _: None, lambda: None), add(workspace)
    folder = workspace.folder(job_id).path
    folder.mkdir()
    (folder / "manifest.json").mkdir()  # which is no file

    def prepare() -> Ending | None:
        try:
            return endings.of(job_id, "failed")
        finally:
            until("an end to be prepared", lambda: not endings.is_at_work(job_id))

    assert prepare() is None
    for _ in range(2):
        with pytest.raises(IsADirectoryError):
            prepare()
    (folder / "manifest.json").rmdir()
    with pytest.raises(IsADirectoryError):
        prepare()
    assert prepare() == Ending(usage=())


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
    endings, job_id = Endings(workspace, publish, woken.set), add(workspace)
    endings.of(job_id, "completed")
    assert woken.wait(WAIT_S)
    ending = endings.of(job_id, "completed")
    assert ending == Ending(usage=(), unpublished=failure)
    finish(workspace, open_job(workspace, job_id), "completed", ending)
    job = workspace.jobs.get(job_id)
    assert (job.status, job.failure) == ("failed", failure)


def test_a_job_whose_calls_take_long_to_read_keeps_no_other_from_its_end(service: Service) -> None:
    slow, other = service.add(), service.add()
    service.look()
    folder = service.workspace.folder(slow).path
    folder.mkdir()
    os.mkfifo(folder / "manifest.json")  # whoever reads it waits for what is written to it
    service.prefect.runs = dict.fromkeys(service.prefect.runs, Failed())
    try:
        service.go_round()
        until("the other's end to be prepared", lambda: not service.endings.is_at_work(other))
        service.go_round()
        assert (service.status(slow), service.status(other)) == ("created", "failed")
    finally:
        (folder / "manifest.json").open("w").close()
    service.look()
    service.look()
    assert service.status(slow) == "failed"
