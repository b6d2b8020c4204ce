"""From the core's values to Together's: a job, how far it is, and what it came to."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from api.http.fields import JsonDict
from api.together.schema import responses as wire
from api.together.schema.evaluations import Status
from core.job import Failure, JobStatus, ListedJob
from core.queries.lists import OneOf, Term
from store.secrets import mask

MASK: Final = "***"
OWNER: Final = "local"
"""Keys are not tenants: everybody's jobs are one owner's."""

STATUS: Final[dict[JobStatus, Status]] = {
    "created": "pending",
    "pending": "queued",
    **dict.fromkeys(("running", "pausing", "paused", "resuming", "cancelling"), "running"),
    "completed": "completed",
    **dict.fromkeys(("cancelled", "failed", "unknown"), "error"),
}
"""How a job's status is called; one that failed by its user's fault is `user_error`."""


def to_job(job: ListedJob, results: wire.Results | None) -> wire.EvaluationJob:
    """Return a job as it is shown; `results` are those of one that is completed."""
    return wire.EvaluationJob(
        workflow_id=job.id,
        type=job.request["type"],
        owner_id=OWNER,
        status=status_of(job.status, job.failure),
        status_updates=list(_updates(job)),
        parameters=parameters(job),
        created_at=_utc(job.created_at),
        updated_at=_utc(job.updated_at),
        results=results or error_of(job),
    )


def to_status(job: ListedJob, results: wire.Results | None) -> wire.JobStatus:
    """Return how far a job is."""
    return wire.JobStatus(status=status_of(job.status, job.failure), results=results or error_of(job))


def status_of(status: JobStatus, failure: Failure | None) -> Status:
    """Return how a status is called, of a job that may have failed."""
    return "user_error" if status == "failed" and failure and failure.blame == "user" else STATUS[status]


def terms_of(shown: Status) -> tuple[Term, ...]:
    """Return what holds for the jobs that show a status."""
    if shown == "user_error":
        return OneOf(("status",), ("failed",)), OneOf(("blame",), ("user",))
    named = OneOf(("status",), tuple(status for status, word in STATUS.items() if word == shown))
    return (named, OneOf(("blame",), ("", "service", "upstream"))) if shown == "error" else (named,)


def error_of(job: ListedJob) -> wire.ErrorResults | None:
    """Return why a job has ended without results, if it has."""
    match job.status:
        case "failed":
            return wire.ErrorResults(error=job.failure.message if job.failure else "The job failed.")
        case "cancelled":
            return wire.ErrorResults(error="cancelled")
        case "unknown":
            return wire.ErrorResults(error="The job's flow run is gone.")
    return None


def parameters(job: ListedJob) -> JsonDict:
    """Return the parameters that a job was asked for with, its keys masked."""
    return mask(job.request["parameters"], MASK)


def _updates(job: ListedJob) -> Iterator[wire.StatusUpdate]:
    """Yield the statuses that the job has shown, each once when it came to it."""
    shown = ((status_of(status, job.failure), at) for status, at in job.history)
    for status, same in groupby(shown, key=lambda update: update[0]):
        message = "Job created and pending for processing" if status == "pending" else "Job status updated"
        yield wire.StatusUpdate(status=status, message=message, timestamp=_utc(next(same)[1]))


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)
