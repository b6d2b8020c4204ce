"""The page of a trend."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.http.fields import NO_NUL
from api.http.state import CurrentState, State
from api.lists.damage import listed
from core.comparison import ScoreComparison
from core.errors import Conflict, InvalidInput, NotFound, ResultsMissing, SchemaMismatch
from core.job import ListedJob
from core.queries.lists import Begins, Listing, OneOf
from tasks.comparisons.compare import Asked, compare
from tasks.comparisons.sides import open_side
from web.jobs.paid import paid
from web.render import page
from web.trends import view

MOST_RUNS: Final = 60
READINGS: Final = 120
"""Of so many means a page is made: of many scores fewer runs are shown, though two at least."""

SUGGESTED: Final = 1_000
"""Of so many of the newest jobs the names are looked at that recur."""

COMPARED: Final = 12
"""So many of the last runs are held against the one before."""

LARGEST: Final = 5_000
"""Samples of a run that is, if it is not to take long."""

NOT_COMPARED: Final = (InvalidInput, Conflict, NotFound, ResultsMissing, SchemaMismatch)
"""Two runs that have nothing in common, or whose results are damaged, stand in the table without a difference."""

router = APIRouter(include_in_schema=False)


@router.get("/trends")
def show_trend(
    request: Request, state: CurrentState, name: Annotated[str, Query(max_length=255), NO_NUL] = ""
) -> Response:
    """Show the scores of the jobs whose names begin so, run by run; without a name, which names recur."""
    name = name.strip()
    completed = OneOf(("status",), ("completed",))
    if not name:
        jobs, _ = state.jobs.page(None, Listing((completed,), page_size=SUGGESTED))
        return page(request, "trends/names.html", stems=view.stems(job.name for job in jobs))
    jobs, total = state.jobs.page(None, Listing((completed, Begins(("name",), name)), page_size=MOST_RUNS))
    runs = _shown([_run(state, job) for job in reversed(jobs)])
    return page(
        request,
        "trends/trend.html",
        name=name,
        shown=len(runs),
        total=total,
        series=view.all_series(_compared(state, runs)),
        compared=min(COMPARED, max(0, len(runs) - 1)),
    )


def _run(state: State, job: ListedJob) -> view.Run:
    folder = state.folder(job.id)
    return view.Run(
        job,
        listed(folder.read_manifest),
        listed(lambda: folder.read_summaries() or []) or [],
        None if job.usage is None else paid(job.usage, state.settings),
    )


def _shown(runs: list[view.Run]) -> list[view.Run]:
    """Return the last runs, as many as a page bears with all their scores."""
    return runs[-max(2, READINGS // max(1, len(view.keys_of(runs)))) :]


def _compared(state: State, runs: Sequence[view.Run]) -> list[view.Run]:
    """Hold the last runs against the ones before them."""
    first = max(1, len(runs) - COMPARED)
    later = [
        replace(run, against_last=_against(state, before, run)) if _is_small(before) and _is_small(run) else run
        for before, run in pairwise(runs[first - 1 :])
    ]
    return [*runs[:first], *later]


def _is_small(run: view.Run) -> bool:
    return run.manifest is not None and sum(each.rows for each in run.manifest.datasets) <= LARGEST


def _against(state: State, before: view.Run, run: view.Run) -> dict[view.ScoreKey, ScoreComparison]:
    pairs = [(target, target) for target in run.targets if target in before.targets]
    if len(run.targets) == len(before.targets) == 1:
        pairs = [(before.targets[0], run.targets[0])]
    found: dict[view.ScoreKey, ScoreComparison] = {}
    for first, second in pairs:
        try:
            sides = open_side(state.folder(before.job.id), first), open_side(state.folder(run.job.id), second)
            scores = compare(*sides, Asked()).scores
        except NOT_COMPARED:
            continue
        found.update((run.key(each.about.task, second, each.about.metric, each.about.name), each) for each in scores)
    return found
