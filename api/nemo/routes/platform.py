"""The routes that NeMo's platform has for jobs of all kinds; ours are those of the second version."""

from fastapi import APIRouter

from api.http.state import CurrentState, State
from api.lists.pages import Page, to_page
from api.nemo.lists import AskedPlatformJobs
from api.nemo.present import jobs as present
from api.nemo.routes import v2
from api.nemo.schema import responses as wire
from api.nemo.schema.fields import PathText
from core.job import Job

router = APIRouter(prefix="/v1/jobs", tags=["NeMo platform"])


@router.get("")
def list_jobs(asked: AskedPlatformJobs, state: CurrentState) -> Page[wire.PlatformJob]:
    """List jobs, the newest first unless asked otherwise."""
    jobs, total = state.jobs.page(v2.FACE, asked.listing)
    progress = state.jobs.progress([job.id for job in jobs])
    return to_page([present.to_platform(job, progress.get(job.id)) for job in jobs], total, asked)


@router.get("/{job_id}")
def get_job(job_id: PathText, state: CurrentState) -> wire.PlatformJob:
    """Return a job."""
    return _shown(state, state.jobs.get(job_id, v2.FACE))


@router.post("/{job_id}/cancel")
def cancel_job(job_id: PathText, state: CurrentState) -> wire.PlatformJob:
    """Have a job stopped; what it has done so far is kept."""
    return _shown(state, v2.want(state, job_id, "cancel"))


@router.post("/{job_id}/pause")
def pause_job(job_id: PathText, state: CurrentState) -> wire.PlatformJob:
    """Have a job stopped until it is resumed."""
    return _shown(state, v2.want(state, job_id, "pause"))


@router.post("/{job_id}/resume")
def resume_job(job_id: PathText, state: CurrentState) -> wire.PlatformJob:
    """Have a paused job go on where it stopped."""
    return _shown(state, v2.want(state, job_id, "run"))


router.delete("/{job_id}")(v2.delete_job)
router.get("/{job_id}/status")(v2.get_status)
router.get("/{job_id}/logs")(v2.list_logs)
router.get("/{job_id}/results")(v2.list_results)
router.get("/{job_id}/results/{result_name}")(v2.get_result)


def _shown(state: State, job: Job) -> wire.PlatformJob:
    return present.to_platform(job, state.jobs.progress([job.id]).get(job.id))
