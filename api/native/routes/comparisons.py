"""The route that holds two results against each other."""

from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Depends, Query, Request

from api.http.fields import QueryText
from api.http.state import CurrentState
from api.native.found import alike, named_side
from api.native.lists import ITEM, refusal
from api.native.present.comparisons import of_cursor, to_changed_sample, to_comparison, to_cursor
from api.native.schema import comparisons as wire
from core.errors import InvalidInput
from tasks.comparisons.compare import Asked, compare
from tasks.comparisons.pairing import pair_results
from tasks.comparisons.samples import Way, changed_samples, chosen_score
from tasks.comparisons.sides import Side

OF_SIDES: Final = frozenset({"baseline", "candidate", "baseline_trial", "candidate_trial"})
PARAMETERS: Final = OF_SIDES | {"match", "margin", "primary", "slice", "alpha"}
SAMPLE_PARAMETERS: Final = OF_SIDES | {"change", "score", "match", "limit", "cursor"}

Trial = Annotated[int | None, Query(ge=0)]
Sides = tuple[Side, Side]

router = APIRouter(prefix="/api/assay/v1/comparisons", tags=["Assay"])


def asked_sides(
    baseline: QueryText,
    candidate: QueryText,
    state: CurrentState,
    baseline_trial: Trial = None,
    candidate_trial: Trial = None,
) -> Sides:
    """Open the two results that a request's query names."""
    return named_side(state, baseline, baseline_trial), named_side(state, candidate, candidate_trial)


def asked_comparison(
    request: Request,
    match: str | None = None,
    margin: Annotated[float | None, Query(gt=0, allow_inf_nan=False)] = None,
    primary: Annotated[list[str] | None, Query()] = None,
    alpha: Annotated[float, Query(gt=0, lt=0.5)] = 0.05,
    by: Annotated[str | None, Query(alias="slice")] = None,
) -> Asked:
    """Read a request's query; raises RequestValidationError for what it has that is no parameter."""
    _check_known(request, PARAMETERS)
    return Asked(_column("match", match), margin, tuple(primary or ()), alpha, _column("slice", by))


@router.get("")
def compare_results(
    asked: Annotated[Asked, Depends(asked_comparison)],
    sides: Annotated[Sides, Depends(asked_sides)],
    state: CurrentState,
) -> wire.Comparison:
    """Compare two results, each `JOB` or `JOB/TARGET`: which is better on their common samples, and how sure that is.

    A job is named by its id, by a start of it that no other id has, or by its name: the last completed one is meant.
    Samples are matched by their numbers where the datasets are the same, else by their rows, or by the column
    `match=item.COLUMN`. `primary=METRIC`, which may be repeated, says which scores decide together; `margin` is the
    difference that is of no account; for each value of `slice=item.COLUMN` the scores are compared once more. Of a
    job that runs, its first finished samples are compared. Of a job whose samples have several trials the means over
    these are compared, or with `baseline_trial` and `candidate_trial` single ones, counted from 0.
    """
    return to_comparison(*sides, asked, compare(*sides, asked, alike(state, sides)))


class AskedChanges(NamedTuple):
    """What is asked of the samples that changed."""

    way: Way
    score: str | None
    match: str | None
    limit: int
    cursor: str | None


def asked_changes(
    request: Request,
    change: Way,
    score: str | None = None,
    match: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> AskedChanges:
    """Read a request's query; raises RequestValidationError for what it has that is no parameter."""
    _check_known(request, SAMPLE_PARAMETERS)
    return AskedChanges(change, score, _column("match", match), limit, cursor)


@router.get("/samples")
def list_changed_samples(
    asked: Annotated[AskedChanges, Depends(asked_changes)], sides: Annotated[Sides, Depends(asked_sides)]
) -> wire.ChangedSamples:
    """List the samples that regressed or improved between two results, the most changed first, with both outputs.

    `score=NAME` or `METRIC/NAME` says in which score, where there are several. Samples are matched as in a comparison.
    """
    paired = pair_results(*sides, asked.match)
    key = "score"
    try:
        score = chosen_score(paired, asked.score)
        key = "cursor"
        after = of_cursor(asked.cursor, asked.way, score) if asked.cursor is not None else None
        found = changed_samples(sides, paired, score, asked.way, limit=asked.limit + 1, after=after)
    except (InvalidInput, ValueError) as error:
        raise refusal(key, str(error)) from None
    page = found[: asked.limit]
    return wire.ChangedSamples(
        metric=score[0],
        name=score[1],
        data=[to_changed_sample(each) for each in page],
        next_cursor=to_cursor(page[-1].place, asked.way, score) if len(found) > asked.limit else None,
    )


def _check_known(request: Request, known: frozenset[str]) -> None:
    for name in request.query_params:
        if name not in known:
            raise refusal(name, f"there is no such parameter; there are {', '.join(sorted(known))}")


def _column(parameter: str, named: str | None) -> str | None:
    if named is not None and not (named.startswith(ITEM) and named != ITEM):
        raise refusal(parameter, "name a column of the rows, as item.COLUMN")
    return named and named.removeprefix(ITEM)
