"""The routes of NeMo's second version."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response, StreamingResponse

from api.http.fields import PathText
from api.http.state import CurrentState, State
from api.http.submission import CurrentSubmission, add_once
from api.lists.pages import Page, to_page
from api.nemo import references
from api.nemo.lists import AskedV2Jobs
from api.nemo.present import archive
from api.nemo.present import jobs as present
from api.nemo.routes.pages import page, to_json, whole
from api.nemo.schema import responses as wire
from api.nemo.schema.jobs import JobCreate
from api.nemo.translate import jobs as translate
from core.errors import InvalidInput, NotFound
from core.job import TERMINAL, Face, Intent, Job, ListedJob, random_id
from core.result import Summary

FACE: Face = "nemo-v2"
NO_RESULT: Final = "Job result not found"
MAX_LINES: Final = 1000

router = APIRouter(prefix="/v2/evaluation/jobs", tags=["NeMo v2"])


@router.post("", status_code=201, response_model=wire.Job)
def create_job(asked: JobCreate, submission: CurrentSubmission, state: CurrentState) -> Response:
    """Record a job and have it started; a request that is sent again is answered with its first job."""
    named = references.inline(state, asked.spec, asked.sealed["spec"])
    request = {**asked.sealed, "spec": named.parts}
    job = translate.to_new_job(random_id("job-"), FACE, asked, named.read, request=request, at="spec")
    added = add_once(state, job, asked.keys | named.keys, sent=asked.sent, submission=submission)
    state.wake()
    return page(shown(state, added), status=201)


@router.get("")
def list_jobs(asked: AskedV2Jobs, state: CurrentState) -> Page[wire.Job]:
    """List jobs, the newest first unless asked otherwise; the rows that one came with are on its own page."""
    jobs, total = state.jobs.page(FACE, asked.listing)
    progress = state.jobs.progress([job.id for job in jobs])
    return to_page([present.to_job(job, progress.get(job.id)) for job in jobs], total, asked)


@router.get("/{job_id}", response_model=wire.Job)
def get_job(job_id: PathText, state: CurrentState) -> Response:
    """Return a job."""
    return page(shown(state, state.jobs.get(job_id, FACE)))


@router.delete("/{job_id}")
def delete_job(job_id: PathText, state: CurrentState) -> wire.Deleted:
    """Delete a job with its results; one that still runs is stopped first."""
    want(state, job_id, "delete")
    return present.to_deleted(job_id)


@router.post("/{job_id}/cancel", response_model=wire.Job)
def cancel_job(job_id: PathText, state: CurrentState) -> Response:
    """Have a job stopped; what it has done so far is kept."""
    return page(shown(state, want(state, job_id, "cancel")))


@router.post("/{job_id}/pause", response_model=wire.Job)
def pause_job(job_id: PathText, state: CurrentState) -> Response:
    """Have a job stopped until it is resumed."""
    return page(shown(state, want(state, job_id, "pause")))


@router.post("/{job_id}/resume", response_model=wire.Job)
def resume_job(job_id: PathText, state: CurrentState) -> Response:
    """Have a paused job go on where it stopped."""
    return page(shown(state, want(state, job_id, "run")))


@router.get("/{job_id}/status")
def get_status(job_id: PathText, state: CurrentState) -> wire.JobStatus:
    """Return how a job's execution stands."""
    job = state.jobs.listed(job_id, FACE)
    return present.to_status(job, state.jobs.progress([job_id]).get(job_id))


@router.get("/{job_id}/logs")
def list_logs(
    job_id: PathText,
    state: CurrentState,
    limit: Annotated[int, Query(ge=1, le=MAX_LINES)] = 100,
    page_cursor: str | None = None,
) -> wire.LogPage:
    """Return some lines of a job's log, also while it runs."""
    job = state.jobs.listed(job_id, FACE)
    try:
        start = present.of_cursor(page_cursor) if page_cursor else 0
        lines = state.folder(job.id).read_log(start=start, limit=limit)
    except (ValueError, InvalidInput):
        refusal = {"loc": ("query", "page_cursor"), "msg": "Invalid page cursor", "type": "value_error"}
        raise RequestValidationError([refusal]) from None
    return present.to_log(job, lines)


@router.get("/{job_id}/results")
def list_results(job_id: PathText, request: Request, state: CurrentState) -> wire.JobResults:
    """List what can be downloaded of a job: nothing before its scores exist."""
    job = state.jobs.listed(job_id, FACE)
    return wire.JobResults(data=[_entry(state, request, job, name) for name in _result_names(state, job)])


@router.get("/{job_id}/results/{result_name}")
def get_result(job_id: PathText, result_name: str, request: Request, state: CurrentState) -> wire.JobResult:
    """Return where a result can be downloaded."""
    job = state.jobs.listed(job_id, FACE)
    if result_name not in _result_names(state, job):
        raise NotFound(NO_RESULT)
    return _entry(state, request, job, result_name)


@router.get(f"/{{job_id}}/results/{present.RESULT_NAME}/download", response_model_exclude_none=True)
def download_scores(job_id: PathText, state: CurrentState) -> wire.EvaluationResult:
    """Return a job's scores."""
    job = state.jobs.listed(job_id, FACE)
    summaries = _summaries(state, job)
    if summaries is None:
        raise NotFound(NO_RESULT)
    return present.to_results(job, summaries)


@router.get(
    f"/{{job_id}}/results/{present.ARTIFACTS}/download",
    response_class=StreamingResponse,
    responses={200: {"content": {archive.TAR: {}}}},
)
def download_artifacts(job_id: PathText, state: CurrentState) -> StreamingResponse:
    """Return an archive of all that a job has done: its samples, scores, calls and log."""
    job = state.jobs.get(job_id, FACE)
    if present.ARTIFACTS not in _result_names(state, job):
        raise NotFound(NO_RESULT)
    results = present.to_results(job, _summaries(state, job) or [])
    folder = state.folder(job.id)
    files = archive.entries(
        job,
        folder,
        shown=to_json(shown(state, job)),
        results=results.model_dump_json().encode(),
    )
    return archive.as_tar(files, job, present.ARTIFACTS, folder.path.parent)


@router.get("/{job_id}/results/{result_name}/download", include_in_schema=False)
def download_other(job_id: PathText, result_name: str, state: CurrentState) -> None:
    """Say that there is no such result."""
    state.jobs.listed(job_id, FACE)
    raise NotFound(NO_RESULT)


def want(state: State, job_id: str, intent: Intent) -> Job:
    """Set what the user wants of a job, and have it heeded at once."""
    job = state.jobs.want(job_id, intent, FACE)
    state.wake()
    return job


def shown(state: State, job: Job) -> wire.Job:
    """Return a job as its own page shows it."""
    return present.to_job(whole(state, job), state.jobs.progress([job.id]).get(job.id))


def _summaries(state: State, job: ListedJob) -> list[Summary] | None:
    return state.folder(job.id).read_summaries()


def _result_names(state: State, job: ListedJob) -> list[str]:
    """Return what can be downloaded: scores once they exist, and what a job that was stopped had done."""
    if _summaries(state, job) is not None:
        return [present.RESULT_NAME, present.ARTIFACTS]
    done = job.status in TERMINAL and state.folder(job.id).read_manifest() is not None
    return [present.ARTIFACTS] if done else []


def _entry(state: State, request: Request, job: ListedJob, name: str) -> wire.JobResult:
    base = state.settings.public_url or str(request.base_url)
    return present.to_result(job, name, f"{base.rstrip('/')}{router.prefix}/{job.id}/results/{name}/download")
