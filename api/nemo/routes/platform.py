"""The routes that NeMo's platform has for jobs of all kinds; ours are those of the second version."""

from fastapi import APIRouter
from starlette.responses import Response

from api.http.fields import PathText
from api.http.state import CurrentState, State
from api.lists.pages import Page, to_page
from api.nemo.lists import AskedPlatformJobs
from api.nemo.present import jobs as present
from api.nemo.routes import v2
from api.nemo.routes.pages import page, whole
from api.nemo.schema import responses as wire
from core.job import Job

router = APIRouter(prefix="/v1/jobs", tags=["NeMo platform"])


@router.get("")
def list_jobs(asked: AskedPlatformJobs, state: CurrentState) -> Page[wire.PlatformJob]:
    """List jobs, the newest first unless asked otherwise; the rows that one came with are on its own page."""
    jobs, total = state.jobs.page(v2.FACE, asked.listing)
    progress = state.jobs.progress([job.id for job in jobs])
    return to_page([present.to_platform(job, progress.get(job.id)) for job in jobs], total, asked)


@router.get("/{job_id}", response_model=wire.PlatformJob)
def get_job(job_id: PathText, state: CurrentState) -> Response:
    """Return a job."""
    return _page(state, state.jobs.get(job_id, v2.FACE))


@router.post("/{job_id}/cancel", response_model=wire.PlatformJob)
def cancel_job(job_id: PathText, state: CurrentState) -> Response:
    """Have a job stopped; what it has done so far is kept."""
    return _page(state, v2.want(state, job_id, "cancel"))


@router.post("/{job_id}/pause", response_model=wire.PlatformJob)
def pause_job(job_id: PathText, state: CurrentState) -> Response:
    """Have a job stopped until it is resumed."""
    return _page(state, v2.want(state, job_id, "pause"))


@router.post("/{job_id}/resume", response_model=wire.PlatformJob)
def resume_job(job_id: PathText, state: CurrentState) -> Response:
    """Have a paused job go on where it stopped."""
    return _page(state, v2.want(state, job_id, "run"))


router.delete("/{job_id}")(v2.delete_job)
router.get("/{job_id}/status")(v2.get_status)
router.get("/{job_id}/logs")(v2.list_logs)
router.get("/{job_id}/results")(v2.list_results)
router.get("/{job_id}/results/{result_name}")(v2.get_result)


def _page(state: State, job: Job) -> Response:
    return page(present.to_platform(whole(state, job), state.jobs.progress([job.id]).get(job.id)))
