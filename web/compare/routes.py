"""The page that holds two results against each other."""

from typing import Any, Final, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from api.http.state import CurrentState, State
from api.native.found import alike, named_side
from api.native.present.comparisons import of_cursor, to_comparison, to_cursor
from core.cost import cost
from core.errors import Conflict, InvalidInput, NotFound
from core.queries.lists import Listing
from core.result import Usage
from core.spec import ModelTarget
from store.results.samples import Samples
from store.results.statistics import CallFigures, call_figures
from tasks.comparisons.compare import compare_paired
from tasks.comparisons.pairing import Paired, pair_results
from tasks.comparisons.samples import changed_samples, chosen_score
from tasks.comparisons.sides import Side, evaluated
from web.compare import view
from web.compare.question import Question
from web.jobs.listing import url
from web.query import READS_ITSELF
from web.render import page

SHOWN: Final = 10
"""Samples that changed, a page of them."""

SUGGESTED: Final = 50
"""Jobs that the form suggests, the newest."""

STATUS: Final[dict[type[Exception], int]] = {InvalidInput: 422, NotFound: 404, Conflict: 409}

router = APIRouter(include_in_schema=False)


@router.get("/compare", dependencies=[READS_ITSELF])
def show_comparison(request: Request, state: CurrentState) -> Response:
    """Show which of two results is better, by how much, where it got worse, and what differs between them."""
    query = request.query_params.multi_items()
    if any(not value for _, value in query):
        return RedirectResponse(url("/compare", [(name, value) for name, value in query if value]), 303)
    question = read_question(dict(query))
    if not (question.a and question.b):
        return _form(request, state, question)
    try:
        sides = (named_side(state, question.a, question.a_trial), named_side(state, question.b, question.b_trial))
        return _comparison(request, state, question, sides)
    except (InvalidInput, NotFound, Conflict) as error:
        status = next(status for kind, status in STATUS.items() if isinstance(error, kind))
        return _form(request, state, question, status, error.message)


class Changes(NamedTuple):
    """A page of the samples that changed in a score, and the query of the page after it."""

    score: str
    rows: list[view.ChangeView]
    next_url: str | None


def read_question(query: dict[str, str]) -> Question:
    """Read what a query asks of a comparison; raises RequestValidationError, which names the field."""
    try:
        return Question.of(query)
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("query", *each["loc"])} for each in error.errors()]) from None


def compared(state: State, question: Question, sides: tuple[Side, Side], paired: Paired) -> dict[str, Any]:
    """Return what is shown of a comparison of two results."""
    found = compare_paired(paired, sides, question.asked, alike(state, sides))
    shown = to_comparison(*sides, question.asked, found)
    names = [state.jobs.listed(side.folder.job_id).name for side in sides]
    return {
        "question": question,
        "found": shown,
        "names": names,
        "titles": view.titles(sides, names),
        "verdicts": view.headline(shown.scores),
        "scores": view.score_views(shown.scores, shown.baseline.job),
        "forests": view.forests(found, shown.scores),
        "slices": view.slice_views(shown.slices),
        "calls": [_side_calls(state, side) for side in sides],
        "changes": _changes(question, sides, paired),
        "pretty": view.pretty,
    }


def _comparison(request: Request, state: State, question: Question, sides: tuple[Side, Side]) -> Response:
    paired = pair_results(*sides, question.match and question.asked.match)
    return page(
        request,
        "compare/comparison.html",
        **compared(state, question, sides, paired),
        link=lambda **other: url("/compare", question.query(**other)),
        report_url=_report_url(question, sides),
        suggested=[],
        problem=None,
    )


def _changes(question: Question, sides: tuple[Side, Side], paired: Paired) -> Changes:
    """Return samples that changed in the score that is asked for, else in the first that decides."""
    first = next(iter(paired.scores))
    score = chosen_score(paired, question.score or f"{first.metric}/{first.name}")
    after = None
    if question.cursor is not None:
        try:
            after = of_cursor(question.cursor, question.change, score)
        except ValueError as error:
            raise InvalidInput(f"cursor: {error}") from None
    found = changed_samples(sides, paired, score, question.change, limit=SHOWN + 1, after=after)
    rows, tasks = found[:SHOWN], {task.name: task.baseline for task in paired.tasks}
    items = {
        name: sides[0].items(tasks[name], {each.baseline.sample for each in rows if each.task == name})
        for name in {each.task for each in rows}
    }
    further = to_cursor(rows[-1].place, question.change, score) if len(found) > SHOWN else None
    return Changes(
        score="/".join(score),
        rows=[view.change_view(each, items[each.task][each.baseline.sample], sides[0].manifest.spec) for each in rows],
        next_url=url("/compare", question.query(cursor=further)) if further else None,
    )


def _calls(state: State, side: Side) -> CallFigures | None:
    """Return what a side's calls to its model came to; None of recorded outputs."""
    counted = state.counted.of_job(side.folder.job_id)
    if counted is None:
        with Samples.open(side.folder) as samples:
            calls = list(call_figures(samples))
    else:
        calls = list(counted.statistics.calls)
    return next((each for each in calls if (each.role, each.target) == ("target", side.target)), None)


def _side_calls(state: State, side: Side) -> view.SideCalls | None:
    """Return what a side's calls to its model took, and cost by the prices of the settings."""
    figures = _calls(state, side)
    target = next((each for each in side.manifest.spec.targets if each.name == side.target), None)
    if figures is None or not isinstance(target, ModelTarget):
        return None
    tokens = Usage(figures.prompt_tokens, figures.completion_tokens)
    return view.SideCalls(figures, cost(tokens, state.settings.of_model(target.endpoint.model)))


def _form(
    request: Request, state: State, question: Question, status: int = 200, problem: str | None = None
) -> Response:
    jobs, _ = state.jobs.page(None, Listing(page_size=SUGGESTED))
    pairs = _pairs(state, question) if problem else []
    return page(request, "compare/form.html", status, question=question, suggested=jobs, problem=problem, pairs=pairs)


def _pairs(state: State, question: Question) -> list[tuple[str, str]]:
    """Return what may be meant where a job has several targets and none is named, as links."""
    try:
        jobs = [state.jobs.identify(named, completed=True) for named in (question.a, question.b)]
        specs = [state.folder(job).need_manifest().spec for job in jobs]
    except (InvalidInput, NotFound, Conflict):
        return []
    return [
        (text, url("/compare", question.query(a=f"{jobs[0]}/{first}", b=f"{jobs[1]}/{second}")))
        for text, first, second in view.target_pairs(*map(evaluated, specs), is_same=jobs[0] == jobs[1])
    ]


def _report_url(question: Question, sides: tuple[Side, Side]) -> str:
    """Return where the candidate's report has the same comparison."""
    baseline, candidate = sides
    own = {"a": None, "b": None, "cursor": None, "against": f"{baseline.folder.job_id}/{baseline.target}"}
    path = f"/jobs/{quote(candidate.folder.job_id)}/report"
    return url(path, question.query(**own, target=candidate.target))
