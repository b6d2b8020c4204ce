"""The routes of NeMo's first version for jobs."""

from dataclasses import replace
from typing import Final

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from api.http.repeat import CurrentSubmission, Submission, add_once
from api.http.state import CurrentState, State
from api.lists.pages import Page, to_page
from api.nemo.lists import AskedV1Jobs
from api.nemo.present import archive
from api.nemo.present import jobs as present
from api.nemo.present import v1 as present_v1
from api.nemo.routes import v1_results
from api.nemo.routes.v1_results import FACE
from api.nemo.routes.v2 import NO_RESULT
from api.nemo.schema import responses as wire
from api.nemo.schema.fields import PathText
from api.nemo.schema.jobs import JobCreateV1
from api.nemo.translate import jobs as translate
from api.nemo.translate import references
from core.errors import NotFound
from core.job import TERMINAL, Job, base58_id
from store.results.folder import JobFolder
from store.secrets import seal
from store.workspace import Workspace

ID: Final = "eval-"
ZIP: Final[dict[int | str, wire.JsonDict]] = {200: {"content": {archive.ZIP: {}}}}

router = APIRouter(prefix="/v1/evaluation/jobs", tags=["NeMo v1"])


@router.post("")
def create_job(asked: JobCreateV1, submission: CurrentSubmission, state: CurrentState) -> wire.JobV1:
    """Record a job and have it started; a request that is sent again is answered with its first job."""
    job = add_job(state, references.expand(state, asked.sent), submission, sent=asked.sent)
    if job.status not in TERMINAL:
        publish(state, job)
    state.wake()
    return _shown(state, job)


@router.get("")
def list_jobs(asked: AskedV1Jobs, state: CurrentState) -> Page[wire.JobV1]:
    """List jobs, the oldest first unless asked otherwise."""
    jobs, total = state.jobs.page(FACE, asked.listing)
    return to_page(_all_shown(state, jobs), total, asked)


@router.get("/{job_id}")
def get_job(job_id: PathText, state: CurrentState) -> wire.JobV1:
    """Return a job."""
    return _shown(state, state.jobs.get(job_id, FACE))


@router.delete("/{job_id}")
def delete_job(job_id: PathText, state: CurrentState) -> wire.Deleted:
    """Delete a job with its results; one that still runs is stopped first."""
    discard(state, state.jobs.get(job_id, FACE))
    return present.to_deleted(job_id)


@router.post("/{job_id}/cancel")
def cancel_job(job_id: PathText, state: CurrentState) -> wire.JobV1:
    """Have a job stopped; what it has done so far is kept."""
    job = state.jobs.want(state.jobs.get(job_id, FACE).id, "cancel")
    state.wake()
    return _shown(state, job)


@router.get("/{job_id}/status-details", include_in_schema=False)
@router.get("/{job_id}/status")
def get_status(job_id: PathText, state: CurrentState) -> wire.StatusV1:
    """Return how far a job is."""
    job = state.jobs.get(job_id, FACE)
    return present_v1.to_status(job, state.jobs.progress([job_id]).get(job_id))


@router.get("/{job_id}/results", response_model_exclude_none=True)
def get_results(job_id: PathText, state: CurrentState) -> wire.Result:
    """Return a job's result, which exists from when it starts, and has scores once it has finished."""
    return _result(state, _begun(state, job_id))


@router.get("/{job_id}/download-results", response_class=StreamingResponse, responses=ZIP)
def download_results(job_id: PathText, state: CurrentState) -> StreamingResponse:
    """Return an archive of all that a job has done: its samples, scores, calls and log."""
    job = _begun(state, job_id)
    shown, result = _shown(state, job), _result(state, job)
    folder = JobFolder(state.results, job.id)
    files = archive.entries(
        job, folder, shown=shown.model_dump_json().encode(), results=result.model_dump_json().encode()
    )
    return archive.as_zip(files, job, job.id)


@router.get("/{job_id}/logs", response_class=StreamingResponse, responses=ZIP)
def download_logs(job_id: PathText, state: CurrentState) -> StreamingResponse:
    """Return an archive of a job's log."""
    job = state.jobs.get(job_id, FACE)
    return archive.as_zip([archive.log_entry(job, JobFolder(state.results, job.id))], job, f"{job.id}-logs")


def add_job(
    state: State, body: wire.JsonDict, submission: Submission, *, sent: wire.JsonDict, ephemeral: bool = False
) -> Job:
    """Record the job that a body with its target and config in full asks for.

    If the same body was `sent` before, the job that it has made is returned.
    """
    sealed, keys = seal(body)
    job = replace(translate.to_new_job_v1(base58_id(ID), sealed), ephemeral=ephemeral)
    return add_once(state, job, keys, sent=sent, submission=submission)


def discard(state: State, job: Job) -> None:
    """Have a job deleted, and the result that it would fill."""
    state.jobs.want(job.id, "delete")
    stored = state.results_table.of_jobs([job.id]).get(job.id)
    if stored and stored.tasks is None:
        state.results_table.delete(stored.id)
    state.wake()


def publish(workspace: Workspace, job: Job) -> None:
    """Keep the result that a job fills, once."""
    workspace.results_table.add(present_v1.new_result(job, _result_id(job)))


def _result_id(job: Job) -> str:
    return v1_results.PREFIX + job.id.removeprefix(ID)


def _shown(state: State, job: Job) -> wire.JobV1:
    return _all_shown(state, [job])[0]


def _all_shown(state: State, jobs: list[Job]) -> list[wire.JobV1]:
    ids = [job.id for job in jobs]
    progress, results = state.jobs.progress(ids), state.results_table.of_jobs(ids)
    return [
        present_v1.to_job(job, progress.get(job.id), results[job.id].id if job.id in results else None) for job in jobs
    ]


def _begun(state: State, job_id: str) -> Job:
    """Return a job that has started. Raises NotFound for one that has not."""
    job = state.jobs.get(job_id, FACE)
    if not present_v1.has_begun(job, state.jobs.progress([job_id]).get(job_id)):
        raise NotFound(NO_RESULT)
    return job


def _result(state: State, job: Job) -> wire.Result:
    stored = state.results_table.of_jobs([job.id]).get(job.id)
    if stored is None:
        raise NotFound(NO_RESULT)
    return v1_results.whole(state, stored)
