"""The end of a job: its terminal status, recorded once its results are seen to be there."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from core.errors import AssayError, RecordDamaged
from core.job import Failure, Job, JobStatus, OpenJob, Progress, utcnow
from core.result import ModelUsage
from core.shown import shortfall
from store.db.jobs import Change
from store.results.folder import JobFolder
from store.results.usage import usage_by_model
from store.workspace import Workspace

UNSAID: Final = Failure(blame="service", code="flow_run_failed", message="The flow run failed; see its log.")
DAMAGED: Final = Failure(
    blame="service",
    code=RecordDamaged.code,
    message="The job's record is damaged: its specification or request cannot be read.",
)

logger = logging.getLogger("assay.control")


@dataclass(frozen=True, slots=True)
class Ending:
    """What a job has paid, None if that cannot be read, and why its results could not be published, if so."""

    usage: tuple[ModelUsage, ...] | None
    unpublished: Failure | None = None


def finish(workspace: Workspace, job: Job | OpenJob, status: JobStatus, ending: Ending | None = None) -> None:
    """Record that a job has ended; one that completed without results, or could not be published, has failed.

    Without an `ending`, what it has paid is found out now. The caller keeps the job's folder, so that no engine comes
    to work on it meanwhile.
    """
    ending = ending or Ending(paid(workspace, job.id))
    folder = workspace.folder(job.id)
    report = workspace.jobs.progress([job.id]).get(job.id)  # read last: an engine reports, and then its run ends
    seen, started_at = _begun(workspace, job, report)
    failure = ending.unpublished or job.failure or (report.failure if report else None)
    if ending.unpublished:
        status = "failed"
    note = None
    if status == "completed":
        missing, note = _results(folder)
        status, failure = ("failed", missing) if missing else (status, failure)
    whole = whole_record(workspace, job)
    if status != "failed":
        failure = None
    elif failure is None:
        failure = UNSAID if isinstance(whole, Job) else DAMAGED
    finished_at = utcnow()
    ended = replace(whole, status=status, failure=failure, started_at=started_at, finished_at=finished_at)
    folder.write_job(ended)
    end: Change = {"status": status, "finished_at": finished_at, "failure": failure, "usage": ending.usage}
    if note:
        end["note"] = note
    workspace.jobs.settle(job.id, seen=seen, **end)


def _begun(workspace: Workspace, job: Job | OpenJob, report: Progress | None) -> tuple[JobStatus, datetime | None]:
    """Return the status of a job that ends, and when it began.

    One that was carried out between two looks at it has run for all that.
    """
    if report is None or job.status not in ("created", "pending"):
        return job.status, job.started_at
    begun: Change = {"status": "running", "started_at": report.heartbeat_at}
    if workspace.jobs.settle(job.id, seen=job.status, **begun):
        return "running", report.heartbeat_at
    return job.status, job.started_at


def _results(folder: JobFolder) -> tuple[Failure | None, str | None]:
    """Return why a job has not completed whose run has, as its results cannot be read; else how few these are."""
    try:
        summaries = folder.read_summaries()
    except AssayError as error:
        return Failure(blame=error.blame, code=error.code, message=error.message), None
    if summaries is None:
        return Failure(blame="service", code="results_missing", message="The job ended without its results."), None
    return None, shortfall(summaries)


def paid(workspace: Workspace, job_id: str) -> tuple[ModelUsage, ...] | None:
    """Return what a job whose engine has ended has paid for: as that has told, else as its calls say, one by one.

    None if these cannot be read.
    """
    report = workspace.jobs.progress([job_id]).get(job_id)
    if report and report.usage is not None:
        return report.usage
    try:
        return tuple(usage_by_model(workspace.folder(job_id)))
    except AssayError as error:
        logger.warning("What job %s has paid cannot be read: %s", job_id, error.message)
        return None


def whole_record(workspace: Workspace, job: Job | OpenJob) -> Job | OpenJob:
    """Return the whole record of a job; of one that cannot be read, what is known of it."""
    try:
        return workspace.jobs.get(job.id)
    except (AssayError, ValueError, TypeError, AttributeError) as error:
        logger.warning("The record of job %s cannot be read: %s", job.id, type(error).__name__)
        return job


@contextmanager
def settled(workspace: Workspace, job: Job) -> Iterator[None]:
    """Settle a job's record when its run ends, as the reconciler does for the runs of deployments."""
    status: JobStatus = "failed"
    workspace.jobs.settle(job.id, status="running", started_at=utcnow())
    try:
        yield
        status = "cancelled" if workspace.folder(job.id).read_summaries() is None else "completed"
    finally:
        with workspace.folder(job.id).lock.held():
            finish(workspace, workspace.jobs.get(job.id), status)
