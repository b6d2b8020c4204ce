from datetime import datetime
from typing import Any, get_args

import pytest

from api.together.present import evaluations as present
from api.together.schema.evaluations import Status
from core.errors import Blame
from core.job import TERMINAL, Failure, Job, JobStatus, NewJob, Transition, random_id, utcnow
from core.queries.lists import Listing
from store.workspace import Workspace

AT = datetime.fromisoformat("2026-01-02T03:04:05.678901")
SHOWN: dict[JobStatus, Status] = {
    "created": "pending",
    "pending": "queued",
    "running": "running",
    "pausing": "running",
    "paused": "running",
    "resuming": "running",
    "cancelling": "running",
    "cancelled": "error",
    "completed": "completed",
    "failed": "error",
    "unknown": "error",
}


def job(status: JobStatus = "created", *before: JobStatus, **fields: Any) -> Job:
    history = tuple(Transition(each, AT.replace(second=n)) for n, each in enumerate((*before, status)))
    request = {"type": "classify", "parameters": fields.pop("parameters", {})}
    return Job(
        "eval-0000-1",
        "together",
        request,
        "n",
        spec=None,
        status=status,
        created_at=AT,
        updated_at=AT,
        history=history,
        **fields,
    )


def failure(blame: Blame) -> Failure:
    return Failure(blame=blame, code="c", message="It is broken.")


@pytest.mark.parametrize("status", get_args(JobStatus))
def test_every_status_has_a_word(status):
    shown = present.to_status(job(status), None)
    assert shown.status == SHOWN[status]
    assert (shown.results is not None) == (status in TERMINAL - {"completed"})


@pytest.mark.parametrize(("blame", "word"), [("user", "user_error"), ("service", "error"), ("upstream", "error")])
def test_a_failure_is_the_users_if_they_are_to_blame(blame, word):
    shown = present.to_status(job("failed", failure=failure(blame)), None)
    assert shown.model_dump() == {"status": word, "results": {"error": "It is broken."}}
    assert present.to_status(job("cancelled"), None).model_dump()["results"] == {"error": "cancelled"}


def test_the_updates_are_what_was_shown_each_once():
    failed = job("failed", "created", "pending", "running", "paused", "running", failure=failure("user"))
    updates = [update.model_dump(mode="json") for update in present.to_job(failed, None).status_updates]
    assert [update["status"] for update in updates] == ["pending", "queued", "running", "user_error"]
    assert updates[0]["message"] == "Job created and pending for processing"
    assert {update["message"] for update in updates[1:]} == {"Job status updated"}
    assert [update["timestamp"] for update in updates[1:3]] == [
        *("2026-01-02T03:04:01.678901Z", "2026-01-02T03:04:02.678901Z")
    ]


def test_the_parameters_are_as_they_were_sent_but_for_keys():
    sealed = {"judge": {"external_api_token": "store:x", "num_workers": None}, "model_a": "token"}
    assert present.to_job(job(parameters=sealed), None).parameters == {
        "judge": {"external_api_token": "***", "num_workers": None},
        "model_a": "token",
    }
    assert present.to_job(job(parameters={"token": None}), None).parameters == {"token": None}


@pytest.fixture(scope="module")
def each(service) -> dict[str, Status]:
    """A job of each status and blame, and the word that it shows."""
    workspace: Workspace = service.state
    found = {}
    blamed: list[Failure | None] = [failure(blame) for blame in get_args(Blame)]
    for status in get_args(JobStatus):
        for why in blamed if status == "failed" else [None]:
            job_id = random_id("eval-")
            workspace.jobs.add(NewJob(job_id, "together", {}, job_id, spec=None))
            if status != "created":
                workspace.jobs.settle(job_id, status=status, failure=why, finished_at=utcnow())
            found[job_id] = present.status_of(status, why)
    return found


@pytest.mark.parametrize("word", get_args(Status))
def test_what_a_job_shows_is_what_finds_it(service, each, word):
    jobs, total = service.state.jobs.page("together", Listing(present.terms_of(word), page_size=100))
    assert {job.id for job in jobs} == {job_id for job_id, shown in each.items() if shown == word}
    assert total == len(jobs) > 0
