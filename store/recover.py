"""Jobs whose records are lost and whose results are not: found, and registered again from their folders."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from core.errors import AssayError
from core.job import Face, Failure, Job, Transition
from store.results.folder import JobFolder, job_ids
from store.results.usage import usage_by_model
from store.workspace import Workspace

FACE_OF_THE_REST: Final[Face] = "nemo-v2"
"""Which shows the jobs whose folder does not say what was asked for: 0.1.0 did not write it there."""


class Recovered(NamedTuple):
    """What became of a folder without a job record: its job, registered again, or else why it is not."""

    job_id: str
    job: Job | None
    problem: str = ""


def unrecorded(workspace: Workspace) -> list[str]:
    """Return the ids of the finished jobs that have results and no record."""
    lost = workspace.jobs.unknown(job_ids(workspace.results, workspace.objects))
    return [job_id for job_id in lost if workspace.objects.exists(workspace.folder(job_id).job_path)]


def losses(workspace: Workspace) -> Iterator[str]:
    """Yield what a home has lost that is no reason not to start, each with its remedy."""
    if lost := len(unrecorded(workspace)):
        jobs = "1 finished job has" if lost == 1 else f"{lost:,} finished jobs have"
        yield f"{jobs} results in {workspace.results} and no record in the job tables: `assay recover` registers them"
    if problem := workspace.vault.problem():
        yield problem


def recover(workspace: Workspace) -> Iterator[Recovered]:
    """Register the finished jobs that have results and no record; no record that is there is changed."""
    for job_id in unrecorded(workspace):
        folder = workspace.folder(job_id)
        try:
            job = _job(folder)
            yield Recovered(job_id, job if job and workspace.jobs.restore(job) else None, "its name is taken")
        except AssayError as error:
            yield Recovered(job_id, None, error.message)


def _job(folder: JobFolder) -> Job | None:
    """Return a job as its folder tells of it."""
    row = folder.read_job()
    if row is None:
        return None
    manifest = folder.read_manifest()
    created, finished = _naive(row["created_at"]), _naive(row["finished_at"])
    status, known = row["status"], row["request"] is not None
    same = {name: row[name] for name in ("id", "name", "namespace", "project", "description", "target", "config")}
    details = {name: row[name] for name in ("model", "custom_fields", "ownership", "retry_of")}
    history = (Transition("created", created), Transition(status, finished or created))
    return Job(
        **same,
        **details,
        face=row["face"] if known else FACE_OF_THE_REST,
        request=row["request"] if known else {"spec": {}},
        spec=manifest.spec if manifest else None,
        failure=row["failure"] and Failure.model_validate(row["failure"]),
        status=status,
        created_at=created,
        updated_at=finished or created,
        started_at=_naive(row["started_at"]),
        finished_at=finished,
        history=history,
        usage=tuple(usage_by_model(folder)),
    )


def _naive(time: datetime | None) -> Any:
    return time and time.astimezone(UTC).replace(tzinfo=None)
