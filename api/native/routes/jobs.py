"""The routes of jobs: what is made of them, how they are steered, and what came out in figures."""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.http.fields import ItemColumn, PathText
from api.http.state import CurrentState, State
from api.http.submission import CurrentSubmission, add_once
from api.lists.pages import Page, to_page
from api.native.found import find, want
from api.native.lists import ITEM, AskedJobs, refusal
from api.native.present import jobs as present
from api.native.present.results import to_sliced, to_statistics, to_summaries
from api.native.rerun import to_rerun
from api.native.retry import to_retry
from api.native.schema import jobs as wire
from api.native.schema.results import Statistics, Summaries
from api.native.translate import to_new_job
from core.errors import InvalidInput
from core.job import Job
from store.results.usage import usage_by_model
from tasks.summaries.aggregator import complete_summaries
from tasks.summaries.slices import count_job, slice_summaries

PREFIX: Final = "/api/assay/v1/jobs"

router = APIRouter(prefix=PREFIX, tags=["Assay"])


@router.post("", status_code=201)
def create_job(asked: wire.JobRequest, submission: CurrentSubmission, state: CurrentState) -> wire.JobRecord:
    """Record a job and have it started; a request that is sent again is answered with its first job."""
    job, keys = to_new_job(asked, state.settings)
    added = add_once(state, job, keys, sent=asked.sent, submission=submission)
    state.wake()
    return _shown(state, added)


@router.get("")
def list_jobs(asked: AskedJobs, state: CurrentState) -> Page[wire.ListedJob]:
    """List the jobs of all faces, the newest first unless asked otherwise."""
    jobs, total = state.jobs.page(None, asked.listing)
    progress = state.jobs.progress([job.id for job in jobs])
    return to_page([present.to_listed(job, progress.get(job.id)) for job in jobs], total, asked)


@router.get("/{job_id}")
def get_job(job_id: PathText, state: CurrentState) -> wire.JobRecord:
    """Return a job."""
    return _shown(state, state.jobs.get(find(state, job_id).id))


@router.delete("/{job_id}", status_code=204, response_class=Response)
def delete_job(job_id: PathText, state: CurrentState) -> None:
    """Delete a job with its results; one that still runs is stopped first."""
    want(state, job_id, "delete")


@router.post("/{job_id}/cancel")
def cancel_job(job_id: PathText, state: CurrentState) -> wire.JobRecord:
    """Have a job stopped; what it has done so far is kept."""
    return _shown(state, want(state, job_id, "cancel"))


@router.post("/{job_id}/pause")
def pause_job(job_id: PathText, state: CurrentState) -> wire.JobRecord:
    """Have a job stopped until it is resumed."""
    return _shown(state, want(state, job_id, "pause"))


@router.post("/{job_id}/resume")
def resume_job(job_id: PathText, state: CurrentState) -> wire.JobRecord:
    """Have a paused job go on where it stopped."""
    return _shown(state, want(state, job_id, "run"))


@router.post("/{job_id}/retry", status_code=201)
def retry_job(
    job_id: PathText, submission: CurrentSubmission, state: CurrentState, asked: wire.RetryRequest | None = None
) -> wire.JobRecord:
    """Have another job make again what failed of one that has ended, and take over the rest; no call is paid twice."""
    asked = asked or wire.RetryRequest()
    first = state.jobs.get(find(state, job_id).id)
    job, keys = to_retry(state, first, asked)
    added = add_once(state, job, keys, sent=asked.sent, submission=submission)
    state.wake()
    return _shown(state, added)


@router.post("/{job_id}/rerun", status_code=201)
def rerun_job(job_id: PathText, submission: CurrentSubmission, state: CurrentState) -> wire.JobRecord:
    """Have another job do all again that one did, and pay for it."""
    job, keys = to_rerun(state, state.jobs.get(find(state, job_id).id))
    added = add_once(state, job, keys, sent={"rerun": job_id}, submission=submission)
    state.wake()
    return _shown(state, added)


@router.get("/{job_id}/summaries")
def list_summaries(
    job_id: PathText,
    state: CurrentState,
    by: Annotated[ItemColumn | None, Query(alias="slice")] = None,
) -> Summaries:
    """Return a job's scores, aggregated; there are none before its end.

    With `slice=item.COLUMN` they are aggregated once more for each value that the rows have in a column.
    """
    folder = state.folder(find(state, job_id).id)
    summaries = to_summaries(complete_summaries(folder) or [])
    if by is not None:
        summaries.slices = to_sliced(slice_summaries(folder, by.removeprefix(ITEM)))
    return summaries


@router.get("/{job_id}/statistics")
def get_statistics(job_id: PathText, state: CurrentState) -> Statistics:
    """Return how often which values came, what calls took and how outputs ended, of what is there by now."""
    return to_statistics(count_job(state, find(state, job_id)).statistics)


@router.get("/{job_id}/usage")
def list_usage(job_id: PathText, state: CurrentState) -> wire.Usage:
    """Return what a job has paid to each model, also while it runs: calls, retries, tokens and time."""
    job = find(state, job_id)
    usages = usage_by_model(state.folder(job.id)) if job.usage is None else job.usage
    return present.to_usage(usages, state.settings)


@router.get("/{job_id}/logs")
def list_logs(
    job_id: PathText,
    state: CurrentState,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[int, Query(ge=0)] = 0,
) -> wire.LogLines:
    """Return some lines of a job's log, also while it runs."""
    folder = state.folder(find(state, job_id).id)
    try:
        return present.to_log(folder.read_log(start=cursor, limit=limit))
    except InvalidInput as error:
        raise refusal("cursor", error.message) from None


def _shown(state: State, job: Job) -> wire.JobRecord:
    return present.to_job(job, state.jobs.progress([job.id]).get(job.id))
