"""The end of a job: its terminal status, recorded once its results are seen to be there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from core.job import Failure, Job, JobStatus, OpenJob, Progress, utcnow
from store.db.jobs import Change
from store.workspace import Workspace


def finish(
    workspace: Workspace,
    job: Job | OpenJob,
    status: JobStatus,
    *,
    unpublished: Failure | None = None,
) -> None:
    """Record that a job has ended; one that completed without results, or could not be published, has failed.

    The caller keeps the job's folder, so that no engine comes to work on it meanwhile.
    """
    folder = workspace.folder(job.id)
    report = workspace.jobs.progress([job.id]).get(job.id)  # read last: an engine reports, and then its run ends
    seen = _begun(workspace, job, report)
    failure = unpublished or job.failure or (report.failure if report else None)
    if unpublished:
        status = "failed"
    if status == "completed" and folder.read_summaries() is None:
        status = "failed"
        failure = Failure(blame="service", code="results_missing", message="The job ended without its results.")
    if status == "failed" and failure is None:
        failure = Failure(blame="service", code="flow_run_failed", message="The flow run failed; see its log.")
    end: Change = {"status": status, "finished_at": utcnow(), "failure": failure if status == "failed" else None}
    folder.write_job(replace(workspace.jobs.get(job.id), **end))
    workspace.jobs.settle(job.id, seen=seen, **end)


def _begun(workspace: Workspace, job: Job | OpenJob, report: Progress | None) -> JobStatus:
    """Return the status of a job that ends; one that was carried out between two looks at it has run for all that."""
    if report is None or job.status not in ("created", "pending"):
        return job.status
    begun: Change = {"status": "running", "started_at": report.heartbeat_at}
    return "running" if workspace.jobs.settle(job.id, seen=job.status, **begun) else job.status


@contextmanager
def settled(workspace: Workspace, job: Job) -> Iterator[None]:
    """Settle a job's record when its run ends, as the reconciler does for the runs of deployments."""
    status: JobStatus = "failed"
    workspace.jobs.settle(job.id, status="running", started_at=utcnow())
    try:
        yield
        status = "cancelled" if workspace.folder(job.id).read_summaries() is None else "completed"
    finally:
        with workspace.folder(job.id).held():
            finish(workspace, workspace.jobs.get(job.id), status)
