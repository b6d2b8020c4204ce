"""What is asked of lists: of jobs by the grammar of all lists, of samples by one of their own."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple, get_args

import orjson
from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError

from api.lists.grammar import PARAMETER, Exact, Grammar, Named, Span, Text, Time, Word, asked_of, asking
from api.lists.pages import Asked
from api.lists.times import Operator
from api.native.schema.samples import Format
from core.job import Face, JobStatus
from core.queries.samples import Condition, Selection, condition, order, search
from store.results.sample_sql import Position

OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)
STATUS: Final = Word("status", {status: (status,) for status in get_args(JobStatus)}, {})
ITEM: Final = "item."
"""Before the name of a column of the rows."""

NAMES: Final = ("id", "namespace", "name", "project", "target", "config")

JOBS: Final = Grammar(
    filters={
        **{name: Exact(name) for name in ("id", "namespace", "name")},
        "project": Exact("project", commas=True),
        "face": Word("face", {face: (face,) for face in get_args(Face)}, {}),
        "status": STATUS,
        "target": Named("target", {"model": Exact("model", commas=True)}),
        "config": Named("config", {}),
        "created_at": Time("created_at", OPERATORS),
        "updated_at": Time("updated_at", OPERATORS),
    },
    searches={
        **{name: Text(name) for name in (*NAMES, "description")},
        "text": Text("text"),
        "status": STATUS,
        "created_at": Span("created_at"),
        "updated_at": Span("updated_at"),
    },
    sort="-created_at",
    lenient=False,
)

AskedJobs = Annotated[Asked, Depends(asking(JOBS))]


class SamplesQuery(NamedTuple):
    """What is asked of a job's samples; without a limit, a page in JSON is 100 rows and a file has all."""

    selection: Selection
    after: Position | None
    limit: int | None
    format: Format
    sort: str


def asked_samples(
    request: Request,
    sort: str = "sample",
    cursor: str | None = None,
    limit: Annotated[int | None, Query(ge=1, le=10_000_000)] = None,
    format: Format = "json",
) -> SamplesQuery:
    """Read a request's query; raises RequestValidationError, which says what to write instead."""
    given: dict[str, list[str]] = {}
    for key, value in request.query_params.multi_items():
        given.setdefault(key, []).append(value)
    try:
        key = "sort"
        field, descending = order(sort)
        key = "cursor"
        after = of_cursor(cursor, sort) if cursor else None
        conditions = []
        for key, values in asked_of(given).items():
            conditions.append(_condition(key, values))
    except ValueError as error:
        raise refusal(key, str(error)) from None
    return SamplesQuery(Selection(tuple(conditions), field, descending), after, limit, format, sort)


AskedSamples = Annotated[SamplesQuery, Depends(asked_samples)]


def refusal(key: str, message: str) -> RequestValidationError:
    """Return the answer to a query whose parameter `key` is wrong."""
    return RequestValidationError([{"loc": ("query", key), "msg": message, "type": "value_error"}])


def to_cursor(position: Position, sort: str) -> str:
    """Return where a page of a list sorted by `sort` goes on, in a form that says nothing of it."""
    return sealed([sort, *position])


def sealed(values: Sequence[object]) -> str:
    """Return values in a form that stands in a URL and says nothing of them."""
    return urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def opened(cursor: str) -> Any:
    """Return what was `sealed`. Raises ValueError for what was not."""
    return orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


def of_cursor(cursor: str, sort: str) -> Position:
    """Return where a page goes on. Raises ValueError for what is no cursor of a list sorted so."""
    try:
        match opened(cursor):
            case [str() as by, value, str() as task, int() as sample, str() as target, int() as trial] if by == sort:
                return Position(None if value is None else float(value), task, sample, target, trial)
    except (ValueError, TypeError):
        pass  # said below
    raise ValueError("this is no cursor of this list; take next_cursor of the page before, and ask with the same sort")


def _condition(key: str, values: list[str]) -> Condition:
    match = PARAMETER.fullmatch(key)
    if match is None:
        raise ValueError("write filter[FIELD]=VALUE, filter[FIELD][gte]=VALUE or search[FIELD]=TEXT")
    if any("\x00" in text for text in (key, *values)):
        raise ValueError("NUL cannot stand in a query")
    kind, brackets = match.groups()
    match kind, brackets[1:-1].split("]["):
        case "filter", [name]:
            return condition(name, "eq", values)
        case "filter", [name, by]:
            return condition(name, by, values)
        case "search", [name]:
            return search(name, values)
    raise ValueError(f"write {kind}[FIELD], with parts of its name after dots, as in filter[item.topic]")
