"""The routes of NeMo's first version for jobs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from api.http.fields import JsonDict, PathText
from api.http.state import CurrentState, State
from api.http.submission import CurrentSubmission, Submission, add_once
from api.lists.pages import Page, to_page
from api.nemo import references
from api.nemo.lists import AskedV1Jobs
from api.nemo.present import archive
from api.nemo.present import jobs as present
from api.nemo.present import v1 as present_v1
from api.nemo.routes import v1_results
from api.nemo.routes.pages import page, to_json, whole
from api.nemo.routes.v1_results import FACE
from api.nemo.routes.v2 import NO_RESULT
from api.nemo.schema import responses as wire
from api.nemo.schema.jobs import JobCreateV1
from api.nemo.translate import jobs as translate
from core.errors import NotFound
from core.job import TERMINAL, Job, ListedJob, base58_id
from store.workspace import Workspace

ID: Final = "eval-"
ZIP: Final[dict[int | str, JsonDict]] = {200: {"content": {archive.ZIP: {}}}}

router = APIRouter(prefix="/v1/evaluation/jobs", tags=["NeMo v1"])


@router.post("", response_model=wire.JobV1)
def create_job(asked: JobCreateV1, submission: CurrentSubmission, state: CurrentState) -> Response:
    """Record a job and have it started; a request that is sent again is answered with its first job."""
    job = add_job(state, asked, references.expand(state, asked, asked.sealed), submission)
    if job.status not in TERMINAL:
        publish(state, job)
    state.wake()
    return page(_shown(state, job))


@router.get("")
def list_jobs(asked: AskedV1Jobs, state: CurrentState) -> Page[wire.JobV1]:
    """List jobs, the oldest first unless asked otherwise; the rows that one came with are on its own page."""
    jobs, total = state.jobs.page(FACE, asked.listing)
    return to_page(_all_shown(state, jobs), total, asked)


@router.get("/{job_id}", response_model=wire.JobV1)
def get_job(job_id: PathText, state: CurrentState) -> Response:
    """Return a job."""
    return page(_shown(state, state.jobs.get(job_id, FACE)))


@router.delete("/{job_id}")
def delete_job(job_id: PathText, state: CurrentState) -> wire.Deleted:
    """Delete a job with its results; one that still runs is stopped first."""
    discard(state, job_id)
    return present.to_deleted(job_id)


@router.post("/{job_id}/cancel", response_model=wire.JobV1)
def cancel_job(job_id: PathText, state: CurrentState) -> Response:
    """Have a job stopped; what it has done so far is kept."""
    job = state.jobs.want(job_id, "cancel", FACE)
    state.wake()
    return page(_shown(state, job))


@router.get("/{job_id}/status-details", include_in_schema=False)
@router.get("/{job_id}/status")
def get_status(job_id: PathText, state: CurrentState) -> wire.StatusV1:
    """Return how far a job is."""
    job = state.jobs.listed(job_id, FACE)
    return present_v1.to_status(job, state.jobs.progress([job_id]).get(job_id))


@router.get("/{job_id}/results", response_model_exclude_none=True)
def get_results(job_id: PathText, state: CurrentState) -> wire.Result:
    """Return a job's result, which exists from when it starts, and has scores once it has finished."""
    return _result(state, _begun(state, job_id))


@router.get("/{job_id}/download-results", response_class=StreamingResponse, responses=ZIP)
def download_results(job_id: PathText, state: CurrentState) -> StreamingResponse:
    """Return an archive of all that a job has done: its samples, scores, calls and log."""
    job = _begun(state, job_id)
    shown, results = to_json(_shown(state, job)), _result(state, job).model_dump_json().encode()
    files = archive.entries(job, state.folder(job.id), shown=shown, results=results)
    return archive.as_zip(files, job, job.id)


@router.get("/{job_id}/logs", response_class=StreamingResponse, responses=ZIP)
def download_logs(job_id: PathText, state: CurrentState) -> StreamingResponse:
    """Return an archive of a job's log."""
    job = state.jobs.listed(job_id, FACE)
    return archive.as_zip([archive.log_entry(job, state.folder(job.id))], job, f"{job.id}-logs")


def add_job(
    state: State, asked: JobCreateV1, named: references.Whole, submission: Submission, *, ephemeral: bool = False
) -> Job:
    """Record the job that is asked for; if the same was sent before, the job that it has made is returned."""
    job = translate.to_new_job(base58_id(ID), FACE, asked, named.read, request=named.parts)
    keys = asked.keys | named.keys
    return add_once(state, replace(job, ephemeral=ephemeral), keys, sent=asked.sent, submission=submission)


def discard(state: State, job_id: str) -> None:
    """Have a job deleted, and the result that it would fill. Raises NotFound if it is so already."""
    state.jobs.want(job_id, "delete", FACE)
    stored = state.results_table.of_jobs([job_id]).get(job_id)
    if stored and stored.tasks is None:
        state.results_table.delete(stored.id)
    state.wake()


def publish(workspace: Workspace, job: Job) -> None:
    """Keep the result that a job fills, once."""
    workspace.results_table.add(present_v1.new_result(job, _result_id(job)))


def _result_id(job: Job) -> str:
    return v1_results.PREFIX + job.id.removeprefix(ID)


def _shown(state: State, job: Job) -> wire.JobV1:
    return _all_shown(state, [whole(state, job)])[0]


def _all_shown(state: State, jobs: Sequence[ListedJob]) -> list[wire.JobV1]:
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


def _result(state: State, job: ListedJob) -> wire.Result:
    stored = state.results_table.of_jobs([job.id]).get(job.id)
    if stored is None:
        raise NotFound(NO_RESULT)
    return v1_results.whole(state, stored)
