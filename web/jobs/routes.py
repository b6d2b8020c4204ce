"""The pages of jobs."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from api.http.state import CurrentState, State
from api.lists.damage import listed
from api.lists.grammar import read_query
from api.lists.pages import PageQuery
from api.native.lists import JOBS
from api.native.routes.jobs import JobId, find
from core.job import ListedJob
from core.result import Summary
from web.jobs import listing as lists
from web.jobs.figures import score_rows
from web.render import page

PAGE: Final = 50
OWN: Final = frozenset({"before", "passed", "pick"})
"""The parameters of the list that say where it is, not what is in it."""

router = APIRouter(include_in_schema=False)


@router.get("/")
def show_jobs(
    request: Request,
    state: CurrentState,
    before: datetime | None = None,
    passed: Annotated[int, Query(ge=0, le=10_000)] = 0,
    pick: Annotated[list[str] | None, Query()] = None,
) -> Response:
    """Show what ran and what runs, the newest first; two that are picked are compared."""
    if pick is not None and len(pick) == 2:
        older, newer = sorted((find(state, job_id) for job_id in pick), key=lambda job: job.created_at)
        return RedirectResponse(lists.url("/compare", [("a", older.id), ("b", newer.id)]), 303)
    query = [(key, value) for key, value in request.query_params.multi_items() if value and key not in OWN]
    place = lists.Place(before, passed) if before else None
    asked = read_query(JOBS, PageQuery(page_size=PAGE), query)
    jobs, total = state.jobs.page(None, lists.after(asked.listing, place))
    progress = state.jobs.progress([job.id for job in jobs])
    older_url = None
    if total > passed + len(jobs):
        further = lists.next_place(jobs, place)
        older_url = lists.url("/", query, {"before": further.before.isoformat(), "passed": str(further.passed)})
    return page(
        request,
        "jobs/list.html",
        rows=[lists.job_row(job, progress.get(job.id), _summaries(state, job)) for job in jobs],
        total=total,
        presets=lists.presets(query),
        text=dict(query).get("search[text]", ""),
        kept=[(key, value) for key, value in query if key != "search[text]"],
        query=query,
        here=lists.url("/", query),
        is_first=place is None,
        older_url=older_url,
        picked_wrongly=pick is not None,
    )


@router.get("/jobs/{job_id}")
def show_job(request: Request, job_id: JobId, state: CurrentState) -> Response:
    """Show how a job did."""
    job = find(state, job_id)
    progress = state.jobs.progress([job.id]).get(job.id)
    summaries = _summaries(state, job)
    return page(
        request,
        "jobs/job.html",
        row=lists.job_row(job, progress, summaries),
        scores=score_rows(summaries),
    )


def _summaries(state: State, job: ListedJob) -> list[Summary]:
    return listed(lambda: state.folder(job.id).read_summaries()) or []
