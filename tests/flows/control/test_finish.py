import pytest

from core.job import Failure, JobStatus, NewJob, OpenJob, Progress, random_id, utcnow
from core.result import Outcome, Summary
from core.settings import Settings
from flows.control.finish import finish
from store.workspace import Workspace
from tests.tasks.specs import alike


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.open(Settings(home=tmp_path_factory.mktemp("home")), migrating=True)


def added(workspace: Workspace) -> OpenJob:
    job_id = random_id("job-")
    workspace.jobs.add(NewJob(job_id, "nemo-v2", {}, job_id, spec=None))
    return next(job for job in workspace.jobs.open() if job.id == job_id)


def test_a_job_has_failed_for_what_its_engine_said_last(workspace: Workspace) -> None:
    job, failure = added(workspace), Failure(blame="user", code="template_invalid", message="row 1: no column 'x'")
    workspace.jobs.report(Progress(job.id, 1, "worker", utcnow(), failure=failure))  # after the job was looked at
    finish(workspace, job, "failed")
    ended = workspace.jobs.get(job.id)
    assert (ended.status, ended.failure) == ("failed", failure)
    assert ended.finished_at is not None


def test_a_job_that_is_carried_out_between_two_looks_has_run(workspace: Workspace) -> None:
    job, at = added(workspace), utcnow()
    workspace.jobs.report(Progress(job.id, 1, "worker", at))
    finish(workspace, job, "failed")
    ended = workspace.jobs.get(job.id)
    assert [status for status, _ in ended.history] == ["created", "running", "failed"]
    assert ended.started_at == at


@pytest.mark.parametrize(("status", "code"), [("failed", "flow_run_failed"), ("completed", "results_missing")])
def test_a_job_that_ends_without_a_word_or_results_is_the_services_fault(
    workspace: Workspace, status: JobStatus, code: str
) -> None:
    job = added(workspace)
    finish(workspace, job, status)
    ended = workspace.jobs.get(job.id)
    assert ended.failure is not None
    assert (ended.status, ended.failure.blame, ended.failure.code) == ("failed", "service", code)
    assert [status for status, _ in ended.history] == ["created", "failed"]
    assert ended.started_at is None


@pytest.mark.parametrize(
    ("scored", "told"),
    [
        (0, "Nothing was scored: qa / t / m / n 0 of 20 (20 judge_unparsable)"),
        (9, "Less than half was scored: qa / t / m / n 9 of 20 (11 judge_unparsable)"),
        (10, None),
    ],
)
def test_a_job_that_scored_next_to_nothing_says_so_with_its_status(
    workspace: Workspace, scored: int, told: str | None
) -> None:
    job = added(workspace)
    outcomes: dict[Outcome, int] = {"scored": scored, "judge_unparsable": 20 - scored}
    summary = Summary("qa", "t", "m", "n", scored, 20 - scored, *alike(None), outcomes)
    workspace.folder(job.id).write_summaries([summary])
    finish(workspace, job, "completed")
    ended = workspace.jobs.get(job.id)
    assert (ended.status, ended.note) == ("completed", told)
