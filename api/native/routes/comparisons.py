"""The route that holds two results against each other."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request

from api.http.state import CurrentState, State
from api.native import schema as wire
from api.native.comparisons import to_comparison
from api.native.lists import refusal
from tasks.comparisons.compare import Asked, compare
from tasks.comparisons.sides import Side, open_side

ITEM: Final = "item."
PARAMETERS: Final = frozenset({"baseline", "candidate", "match", "margin", "primary", "alpha"})

Named = Annotated[str, Query(pattern=r"^[^\x00]*$")]

router = APIRouter(prefix="/api/assay/v1/comparisons", tags=["Assay"])


def asked_comparison(
    request: Request,
    match: str | None = None,
    margin: Annotated[float | None, Query(gt=0, allow_inf_nan=False)] = None,
    primary: Annotated[list[str] | None, Query()] = None,
    alpha: Annotated[float, Query(gt=0, lt=0.5)] = 0.05,
) -> Asked:
    """Read a request's query; raises RequestValidationError for what it has that is no parameter."""
    for name in request.query_params:
        if name not in PARAMETERS:
            raise refusal(name, f"there is no such parameter; there are {', '.join(sorted(PARAMETERS))}")
    if match is not None and not (match.startswith(ITEM) and match != ITEM):
        raise refusal("match", "name a column of the rows, as item.COLUMN")
    return Asked(match and match.removeprefix(ITEM), margin, tuple(primary or ()), alpha)


@router.get("")
def compare_results(
    baseline: Named, candidate: Named, asked: Annotated[Asked, Depends(asked_comparison)], state: CurrentState
) -> wire.Comparison:
    """Compare two results, each `JOB` or `JOB/TARGET`: which is better on their common samples, and how sure that is.

    A job is named by its id, by a start of it that no other id has, or by its name: the last completed one is meant.
    Samples are matched by their numbers where the datasets are the same, else by their rows, or by the column
    `match=item.COLUMN`. `primary=METRIC`, which may be repeated, says which scores decide together; `margin` is the
    difference that is of no account. Of a job that runs, its first finished samples are compared.
    """
    sides = _side(state, baseline), _side(state, candidate)
    return to_comparison(*sides, asked, compare(*sides, asked))


def _side(state: State, named: str) -> Side:
    job, _, target = named.partition("/")
    return open_side(state.folder(state.jobs.identify(job)), target or None)
