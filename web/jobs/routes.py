"""The pages of jobs."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from api.http.fields import ItemColumn, PathText
from api.http.state import CurrentState, State
from api.http.submission import CurrentSubmission
from api.lists.damage import listed
from api.lists.grammar import read_query
from api.lists.pages import PageQuery
from api.native.found import find, want
from api.native.lists import ITEM, JOBS
from api.native.routes.jobs import rerun_job, retry_job
from core.errors import InvalidInput
from core.job import ListedJob
from core.result import Summary
from flows.links import flow_run_url
from store.results.folder import JobFolder
from tasks.summaries.aggregator import complete_summaries
from tasks.summaries.slices import count_job, slice_summaries, summaries_so_far, uncounted
from web.jobs import job as views
from web.jobs import listing as lists
from web.jobs.damage import Damage
from web.jobs.paid import paid
from web.query import Filters
from web.render import page
from web.session.forms import OwnForm

PAGE: Final = 50
LOG_LINES: Final = 200
LIVE_SAMPLES: Final = 20_000
"""Of so many samples at most the scores are summed up anew for a page of a job that runs."""

Sliced = tuple[list[views.ScoreSlices], str | None]
UNSLICED: Final[Sliced] = ([], None)

router = APIRouter(include_in_schema=False)


@router.get("/")
def show_jobs(
    request: Request,
    state: CurrentState,
    query: Filters,
    before: datetime | None = None,
    passed: Annotated[int, Query(ge=0, le=10_000)] = 0,
    pick: Annotated[list[str] | None, Query()] = None,
) -> Response:
    """Show what ran and what runs, the newest first; two that are picked are compared."""
    picked = sorted((find(state, job_id) for job_id in pick or ()), key=lambda job: job.created_at)
    if len(picked) == 2:
        return RedirectResponse(lists.url("/compare", [("a", picked[0].id), ("b", picked[1].id)]), 303)
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
        rows=[lists.job_row(job, state.settings, progress.get(job.id), _summaries(state, job)) for job in jobs],
        total=total,
        presets=lists.presets(query),
        text=dict(query).get("search[text]", ""),
        kept=[(key, value) for key, value in query if key != "search[text]"],
        query=query,
        here=lists.url("/", query),
        is_first=place is None,
        older_url=older_url,
        picked=frozenset(job.id for job in picked),
    )


@router.get("/jobs/{job_id}")
def show_job(
    request: Request,
    job_id: PathText,
    state: CurrentState,
    by: Annotated[ItemColumn | None, Query(alias="slice")] = None,
) -> Response:
    """Show how a job did, and how it goes while it runs; of one that is damaged, what can be read."""
    job, damage = find(state, job_id), Damage()
    folder = state.folder(job.id)
    live = _live(state, job, damage)
    spec = damage.spare(lambda: state.jobs.get(job.id).spec, None)
    counted = damage.spare(lambda: count_job(state, job), uncounted(job))
    manifest = damage.spare(folder.read_manifest, None)
    slices, problem = damage.spare(lambda: _slices(folder, by), UNSLICED)
    return page(
        request,
        "jobs/job.html",
        500 if damage.found else 422 if problem else 200,
        **live,
        prefect_url=flow_run_url(job.flow_run_id) if job.flow_run_id else None,
        counted=views.counted(counted.statistics),
        paid=paid(counted.usage, state.settings),
        is_judged=views.is_judged(spec),
        slicing=views.slicing(counted.slicing, by if slices else None),
        pairs=views.own_pairs(job.id, manifest),
        by=by,
        slices=slices,
        problem=problem,
        facts=views.facts(job, manifest),
        specification=views.specification(spec),
        log=folder.read_log(start=0, limit=LOG_LINES),
        samples_url=views.samples_url(job),
    )


@router.get("/jobs/{job_id}/progress")
def show_progress(request: Request, job_id: PathText, state: CurrentState) -> Response:
    """Show how far a job is; once it has ended its page is to be loaded anew."""
    live = _live(state, find(state, job_id), Damage())
    part = page(request, "jobs/progress.html", **live)
    if not live["row"].is_open:
        part.headers["HX-Refresh"] = "true"
    return part


@router.post("/jobs/{job_id}/again", dependencies=[OwnForm])
def run_again(job_id: PathText, submission: CurrentSubmission, state: CurrentState) -> Response:
    """Have another job make again what failed of one that has ended, and show that."""
    return RedirectResponse(f"/jobs/{quote(retry_job(job_id, submission, state).id)}", 303)


@router.post("/jobs/{job_id}/rerun", dependencies=[OwnForm])
def run_all_again(job_id: PathText, submission: CurrentSubmission, state: CurrentState) -> Response:
    """Have another job do all again, and show that."""
    return RedirectResponse(f"/jobs/{quote(rerun_job(job_id, submission, state).id)}", 303)


@router.post("/jobs/{job_id}/{action}", dependencies=[OwnForm])
def act(job_id: PathText, action: Literal["pause", "resume", "cancel"], state: CurrentState) -> Response:
    """Do what a person asks of a job, and show it."""
    intent, _ = views.ACTIONS[action]
    want(state, job_id, intent)
    return RedirectResponse(f"/jobs/{quote(job_id)}", 303)


def _live(state: State, job: ListedJob, damage: Damage) -> dict[str, Any]:
    """Return what changes by itself of a job's page while it runs, and what is found damaged."""
    progress = state.jobs.progress([job.id]).get(job.id)
    return {
        "row": lists.job_row(job, state.settings, progress, ()),
        "actions": views.actions(job.status),
        "figures": damage.spare(lambda: read_figures(state.folder(job.id)), None),
        "damage": damage.found,
    }


def _slices(folder: JobFolder, by: str | None) -> Sliced:
    """Return a job's scores by a column's values, if one is named, or why they cannot be had."""
    if by is None:
        return UNSLICED
    try:
        return views.slices_by_score(slice_summaries(folder, by.removeprefix(ITEM))), None
    except InvalidInput as error:
        return [], error.message


def read_figures(folder: JobFolder) -> views.Figures:
    """Return a job's scores; of one that runs what is judged by now."""
    summaries = complete_summaries(folder)
    if summaries is not None:
        return views.figures(summaries)
    return views.figures(_so_far(folder, folder.count_judged()), is_part=True)


@lru_cache(maxsize=64)
def _so_far(folder: JobFolder, _judged: int) -> list[Summary]:
    """Return the scores of so many judged shards, which are summed up once."""
    return summaries_so_far(folder, most=LIVE_SAMPLES)


def _summaries(state: State, job: ListedJob) -> list[Summary] | None:
    """Return a job's scores; None if they cannot be read."""
    return listed(lambda: state.folder(job.id).read_summaries() or [])
