"""The page of a job's judges."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.http.fields import PathText
from api.http.state import CurrentState
from api.native.found import find
from core.job import TERMINAL
from tasks.judging.figures import MOST, judge_figures
from web.jobs.job import is_judged
from web.judges.view import judge_view
from web.render import page

router = APIRouter(include_in_schema=False)


@router.get("/judges/{job_id}")
def show_judges(request: Request, job_id: PathText, state: CurrentState) -> Response:
    """Show what is known of each judge of a job: how it was read, what sways it, and whether people agree with it."""
    job = state.jobs.get(find(state, job_id).id)
    has_judges = is_judged(job.spec)
    found = judge_figures(state.folder(job.id), state.verdicts.of_job(job.id)) if has_judges else []
    return page(
        request,
        "judges/judges.html",
        job=job,
        has_judges=has_judges,
        is_open=job.status not in TERMINAL,
        judges=[judge_view(each, job.id) for each in found],
        most=MOST,
    )
