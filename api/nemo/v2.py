"""The routes of NeMo's second version."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from api.nemo import present, translate
from api.nemo import responses as wire
from api.nemo.schema import JobCreate
from api.paging import AskedPage, Page, to_page
from api.state import CurrentState, State
from core.errors import NotFound
from core.job import Face, Job, random_id
from core.result import Summary
from store.results import JobFolder
from store.secrets import seal

FACE: Face = "nemo-v2"

JobId = Annotated[str, Path(pattern=r"^[^\x00]*$")]

router = APIRouter(prefix="/v2/evaluation/jobs", tags=["NeMo v2"])


@router.post("", status_code=201)
def create_job(asked: JobCreate, state: CurrentState) -> wire.Job:
    """Record a job and have it started."""
    sealed, keys = seal(asked.sent)
    job = state.jobs.add(translate.to_new_job(random_id("job-"), sealed), state.vault.encrypt(keys))
    state.wake()
    return present.to_job(job, None)


@router.get("")
def list_jobs(query: AskedPage, state: CurrentState) -> Page[wire.Job]:
    """List jobs, the newest first unless asked otherwise."""
    jobs, total = state.jobs.page(FACE, page=query.page, page_size=query.page_size, sort=query.sort)
    progress = state.jobs.progress([job.id for job in jobs])
    return to_page([present.to_job(job, progress.get(job.id)) for job in jobs], total, query)


@router.get("/{job_id}")
def get_job(job_id: JobId, state: CurrentState) -> wire.Job:
    """Return a job."""
    return _shown(state, state.jobs.get(job_id, FACE))


@router.post("/{job_id}/cancel")
def cancel_job(job_id: JobId, state: CurrentState) -> wire.Job:
    """Have a job stopped; what it has done so far is kept."""
    job = state.jobs.want(state.jobs.get(job_id, FACE).id, "cancel")
    state.wake()
    return _shown(state, job)


@router.get("/{job_id}/status")
def get_status(job_id: JobId, state: CurrentState) -> wire.JobStatus:
    """Return how a job's execution stands."""
    job = state.jobs.get(job_id, FACE)
    return present.to_status(job, state.jobs.progress([job_id]).get(job_id))


@router.get("/{job_id}/results")
def list_results(job_id: JobId, request: Request, state: CurrentState) -> wire.JobResults:
    """List what can be downloaded of a job: nothing before its scores exist."""
    job = state.jobs.get(job_id, FACE)
    if _summaries(state, job) is None:
        return wire.JobResults(data=[])
    base = state.settings.public_url or str(request.base_url)
    path = router.url_path_for("download_scores", job_id=job_id)
    return wire.JobResults(data=[present.to_result(job, base.rstrip("/") + path)])


@router.get(f"/{{job_id}}/results/{present.RESULT_NAME}/download", response_model_exclude_none=True)
def download_scores(job_id: JobId, state: CurrentState) -> wire.EvaluationResult:
    """Return a job's scores."""
    job = state.jobs.get(job_id, FACE)
    summaries = _summaries(state, job)
    if summaries is None:
        raise NotFound("Job result not found")
    return present.to_results(job, summaries)


def _shown(state: State, job: Job) -> wire.Job:
    return present.to_job(job, state.jobs.progress([job.id]).get(job.id))


def _summaries(state: State, job: Job) -> list[Summary] | None:
    return JobFolder(state.results, job.id).read_summaries()
