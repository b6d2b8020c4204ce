"""The pages of a job's samples."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from api.http.fields import PathText
from api.http.state import CurrentState, State
from api.native.found import find
from api.native.lists import ITEM, asked_samples, refusal, to_cursor
from api.native.routes.verdicts import keep, take_back
from api.native.schema.verdicts import VerdictGiven, VerdictOn
from core.errors import InvalidInput, first_problem
from core.job import TERMINAL
from core.queries.samples import Selection
from store.results.exports import records
from store.results.folder import JobFolder
from store.results.sample_sql import Position
from store.results.samples import Samples
from tasks.samples.columns import telling_columns
from tasks.samples.sample import SampleDetail, sample_detail
from tasks.summaries.slices import first_columns
from web.links import sample_url
from web.query import TAKES_FILTERS
from web.render import page
from web.samples import query as queries
from web.samples import sample as views
from web.samples import table
from web.session.forms import OwnForm

PAGE: Final = 50
CUT: Final = 2_000
"""So many characters of an output are read for the table."""

PutTogether = Annotated[queries.Query, Depends(queries.put_together)]
SampleNumber = Annotated[int, Path(ge=0)]

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}/samples", dependencies=[TAKES_FILTERS])
def show_samples(
    request: Request,
    job_id: PathText,
    state: CurrentState,
    further_filter: PutTogether,
    sort: str = "sample",
    cursor: str | None = None,
    column: Annotated[list[str] | None, Query()] = None,
) -> Response:
    """Show a job's samples, also while it runs, narrowed and ordered as the URL says."""
    job = find(state, job_id)
    path = queries.job_url(job.id, "samples")
    items = request.query_params.multi_items()
    if (clean := _clean(items, further_filter)) != items:
        return RedirectResponse(queries.url(path, clean), 303)
    asked = asked_samples(request, sort, cursor or None)
    kept = queries.asked(items)
    with Samples.open(state.folder(job.id)) as samples:
        try:
            found = samples.find(asked.selection, limit=PAGE + 1, after=asked.after)
        except InvalidInput as error:
            raise refusal("sort" if "score" in sort else "filter", error.message) from None
        rows = list(records(samples.load(found[:PAGE], cut=CUT)))
        columns = _columns(samples, path, kept, column or ())
        scores, coverage = samples.names.scores, samples.coverage
    chosen = [("column", each) for each in column or ()]
    shown = [each for each in columns if each.is_shown]
    further = [("cursor", to_cursor(found[PAGE - 1], sort))] if len(found) > PAGE else None
    table_rows = [table.row(job.id, each, shown, kept) for each in rows]
    return page(
        request,
        "samples/table.html",
        job=job,
        path=path,
        rows=table_rows,
        several=table.several(table_rows),
        columns=columns,
        shown=shown,
        coverage=coverage,
        is_open=job.status not in TERMINAL,
        presets=queries.presets(path, kept, scores, chosen),
        conditions=queries.conditions(path, [*kept, *chosen]),
        fields=_fields([each.name for each in columns]),
        signs=queries.SIGNS,
        kept=[*kept, *chosen],
        output_text=dict(kept).get("search[output]", ""),
        next_url=queries.url(path, [*kept, *chosen], further) if further else None,
        first_url=queries.url(path, [*kept, *chosen]) if cursor else None,
        export_query=queries.url("", [*kept, ("format", "")]),
    )


@router.get("/jobs/{job_id}/samples/{task:path}/{number}", dependencies=[TAKES_FILTERS])
def show_sample(
    request: Request,
    job_id: PathText,
    task: PathText,
    number: SampleNumber,
    state: CurrentState,
    sort: str = "sample",
    view: queries.View = "text",
) -> Response:
    """Show what happened to one sample, and lead to those beside it in the list that it was found in."""
    job = find(state, job_id)
    kept = queries.asked(request.query_params.multi_items())
    asked = asked_samples(request, sort, None)
    folder = state.folder(job.id)
    detail = sample_detail(folder, task, number)
    path = queries.job_url(job.id, "samples")
    verdicts = state.verdicts.of_sample(job.id, task, number)
    here, viewed = sample_url(job.id, task, number), [*kept, *queries.VIEWS[view]]
    before, after = _beside(folder, asked.selection, detail)
    return page(
        request,
        "samples/sample.html",
        job=job,
        detail=detail,
        item=views.item(detail),
        answers=views.answers(detail, verdicts, rendering=view == "rendered"),
        ways=queries.ways(here, kept, view),
        list_url=queries.url(path, kept),
        here=here,
        query=urlencode(viewed),
        whole_url=f"/api/assay/v1{sample_url(job.id, task, number)}",
        before_url=before and queries.url(sample_url(job.id, *before), viewed),
        after_url=after and queries.url(sample_url(job.id, *after), viewed),
    )


@router.post("/jobs/{job_id}/samples/{task:path}/{number}", dependencies=[OwnForm])
async def keep_verdict(
    request: Request, job_id: PathText, task: PathText, number: SampleNumber, state: CurrentState
) -> Response:
    """Keep what a person says of an output; saying nothing takes back what was said."""
    async with request.form() as sent:
        form = {name: value for name, value in sent.items() if isinstance(value, str)}
    await run_in_threadpool(_keep, state, job_id, task, number, form)
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{sample_url(job_id, task, number)}{query}#verdicts", 303)


def _columns(samples: Samples, path: str, kept: queries.Query, chosen: Sequence[str]) -> list[table.Column]:
    """Return the columns that there are, those of the rows first that tell most.

    Raises RequestValidationError for one that is chosen and none; while a job runs, it may have that yet.
    """
    manifest, coverage = samples.folder.read_manifest(), samples.coverage
    of_rows = telling_columns(manifest.spec, first_columns(samples)) if manifest else []
    later = (each.removeprefix(ITEM) for each in chosen if each.startswith(ITEM))
    names = list(dict.fromkeys([*of_rows, *later]))
    found = table.columns(path, kept, names, samples.names.scores, chosen)
    known = [each.name for each in found]
    unknown = [each for each in chosen if each not in known]
    if unknown and coverage.judged == coverage.samples:
        raise refusal("column", f"there is no column {unknown[0]!r}; columns: {', '.join(known)}")
    return found


def _keep(state: State, job_id: str, task: str, number: int, form: Mapping[str, str]) -> None:
    job = find(state, job_id)
    try:
        passed, value, note = views.read_verdict(form)
        own = {"target": form.get("target", ""), "trial": form.get("trial", "0"), "metric": form.get("metric", "")}
        on = VerdictOn.model_validate({"task": task, "sample": number, **own})
        if (passed, value, note) == (None, None, None):
            take_back(state, job.id, on)
        else:
            keep(state, job.id, VerdictGiven(**on.model_dump(), passed=passed, value=value, note=note))
    except ValidationError as error:
        raise InvalidInput(f"The verdict was not kept: {first_problem(error)}") from None
    except ValueError as error:
        raise InvalidInput(f"The verdict was not kept: {error}") from None


Neighbour = tuple[str, int] | None


def _beside(folder: JobFolder, selection: Selection, detail: SampleDetail) -> tuple[Neighbour, Neighbour]:
    """Return the samples before and after one in a list, each as its task and number."""
    with Samples.open(folder) as samples:
        try:
            place = samples.place(selection, detail.task, detail.sample)
            if place is None:
                return None, None
            return (
                _next(samples, replace(selection, backwards=True), place, detail),
                _next(samples, selection, place, detail),
            )
        except InvalidInput as error:
            raise refusal("filter", error.message) from None


def _next(samples: Samples, selection: Selection, place: Position, detail: SampleDetail) -> Neighbour:
    found = samples.find(selection, limit=len(detail.outputs) + 1, after=place)
    here = (detail.task, detail.sample)
    return next(((each.task, each.sample) for each in found if (each.task, each.sample) != here), None)


def _clean(items: list[tuple[str, str]], further: queries.Query) -> list[tuple[str, str]]:
    """Return a query without what a form left empty, and with the filter that it was used to put together."""
    return [*((key, value) for key, value in items if value and key not in ("field", "by", "value")), *further]


def _fields(columns: list[str]) -> list[str]:
    """Return what samples can be narrowed by."""
    own = [each for each in columns if each.startswith((ITEM, "score."))]
    return [*own, "outcome", "passed", "label", "task", "target", "truncated"]
