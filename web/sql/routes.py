"""The page of queries."""

import json
from itertools import chain, islice
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from api.http.state import CurrentState
from core.errors import Conflict, InvalidInput
from store.results.asking import MOST_ROWS, SECONDS, ask, parts
from store.results.views import views
from web.jobs.listing import url
from web.render import page

SHOWN: Final = 500
"""Rows of an answer on the page; a file has more."""

MEDIA_TYPES: Final = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}

COLUMNS: Final = {view: [*schema.arrow.names, *(["job_id"] if view != "jobs" else [])] for view, schema in views()}

EXAMPLES: Final = (
    (
        "The mean by model, the newest runs first",
        "SELECT j.created_at, j.name, j.model, s.metric, s.name AS score, round(s.mean, 3) AS mean,\n"
        "       round(s.ci_low, 3) AS low, round(s.ci_high, 3) AS high, s.count AS scored, s.nan_count AS excluded\n"
        "FROM summaries s JOIN jobs j USING (job_id)\nORDER BY j.created_at DESC, j.name LIMIT 50",
    ),
    (
        "How long models took, and how many tokens",
        "SELECT job_id, role, target, metric, count(*) AS calls, round(quantile_cont(seconds, 0.5), 2) AS p50_s,\n"
        "       round(quantile_cont(seconds, 0.95), 2) AS p95_s, sum(total_tokens) AS tokens\n"
        "FROM calls WHERE paid_by IS NULL GROUP BY ALL ORDER BY tokens DESC LIMIT 50",
    ),
    (
        "What was not scored, and why",
        "SELECT job_id, task, metric, outcome, count(*) AS samples, min(error) AS for_instance\n"
        "FROM scores WHERE outcome <> 'scored'\nGROUP BY ALL ORDER BY samples DESC LIMIT 50",
    ),
)

router = APIRouter(include_in_schema=False)


@router.get("/sql")
def show_answer(
    request: Request,
    state: CurrentState,
    q: Annotated[str, Query(max_length=20_000)] = "",
    form: Annotated[Literal["html", "csv", "parquet"], Query(alias="format")] = "html",
) -> Response:
    """Answer a query, on a page or as a file."""
    answer, problem, status = None, None, 200
    try:
        if q.strip() and form != "html":
            return _file(parts(state.results, q, form, store=state.settings.store), form)
        answer = ask(state.results, q, rows=SHOWN, store=state.settings.store) if q.strip() else None
    except (InvalidInput, Conflict) as error:
        problem, status = error.message, 422 if isinstance(error, InvalidInput) else 409
    return page(
        request,
        "sql/sql.html",
        status,
        q=q,
        answer=answer,
        problem=problem,
        views=COLUMNS,
        examples=[(title, sql, url("/sql", [("q", sql)])) for title, sql in EXAMPLES],
        files={name: url("/sql", [("q", q), ("format", name)]) for name in MEDIA_TYPES},
        bounds=(SECONDS, SHOWN, MOST_ROWS),
        cell=_cell,
    )


def _file(content: Any, form: str) -> Response:
    first = list(islice(content, 1))  # which shows what cannot be done, before anything is sent
    names = {"Content-Disposition": f'attachment; filename="answer.{form}"'}
    return StreamingResponse(chain(first, content), media_type=MEDIA_TYPES[form], headers=names)


def _cell(value: object) -> str:
    """Return a value of an answer as a person reads it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
