from dataclasses import replace

import pytest

from core.job import Failure, JobStatus, NewJob, OpenJob, Progress, random_id, utcnow
from core.plan import DatasetDigest, Manifest, Shard
from core.result import Call, CallKey, ModelUsage, Outcome, Summary, Usage
from core.settings import Settings
from flows.control.finish import finish
from store.workspace import Workspace
from tests.tasks.specs import alike, model, rows, spec


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


PAID = ModelUsage("a-model", "target", calls=3, answered=2, retries=1, seconds=1.5, tokens=Usage(9, 6, 15))


def test_a_job_has_paid_what_its_engine_told_and_its_calls_are_not_read_again(workspace: Workspace) -> None:
    job = added(workspace)
    workspace.jobs.report(Progress(job.id, 1, "worker", utcnow(), usage=(PAID,)))
    finish(workspace, job, "failed")
    assert workspace.jobs.get(job.id).usage == (PAID,)


def test_a_job_whose_engine_did_not_tell_has_paid_what_its_calls_say(workspace: Workspace) -> None:
    job, shard = added(workspace), Shard(index=0, task="qa", start=0, stop=1)
    asked, digests = spec(model("http://127.0.0.1:1"), rows(1)), (DatasetDigest(task="qa", sha256="0" * 64, rows=1),)
    folder = workspace.folder(job.id)
    folder.write_manifest(Manifest(job_id=job.id, code_version="1", spec=asked, shards=(shard,), datasets=digests))
    key = CallKey("qa", 0, "target", 0, "target", "", 0)
    call = Call(key, "answered", "{}", usage=Usage(9, 6, 15), seconds=1.5, attempts=2)
    folder.finish_generate(shard, [], [call])
    workspace.jobs.report(Progress(job.id, 1, "worker", utcnow()))
    finish(workspace, job, "cancelled")
    assert workspace.jobs.get(job.id).usage == (replace(PAID, model="m", calls=1, answered=1),)
