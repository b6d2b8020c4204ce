"""The routes of Nugen's evaluations, those of its later generation included."""

from functools import partial
from typing import Annotated, Final

from fastapi import HTTPException, Query
from pydantic import AfterValidator
from starlette.responses import StreamingResponse

from api.http.fields import PathText
from api.http.state import CurrentState, State
from api.http.submission import CurrentSubmission, add_once
from api.lists.damage import listed
from api.nugen.present import download
from api.nugen.present import evaluations as present
from api.nugen.routes.paths import PREFIX, EitherWay
from api.nugen.schema import responses as wire
from api.nugen.schema.requests import CreateEvaluation, QueryId
from api.nugen.translate import FACE, to_new_job
from core.errors import NotFound, ResultsMissing
from core.job import ListedJob, ulid, utcnow
from core.queries.lists import Listing, OneOf
from core.result import Summary
from store.results.checks import check_readable
from store.secrets import seal

ID: Final = "eval_"

router = EitherWay(prefix=f"{PREFIX}/evaluations", tags=["Nugen evaluations"])


def _known(status: str | None) -> str | None:
    if status is not None:
        present.statuses(status)
    return status


QueryStatus = Annotated[str | None, Query(), AfterValidator(_known)]


@router.post("/create", include_in_schema=False)
@router.post("")
def create_evaluation(
    asked: CreateEvaluation, submission: CurrentSubmission, state: CurrentState
) -> wire.EvaluationCreated:
    """Record an evaluation and have it started; a request that is sent again is answered with its first one."""
    benchmark = state.benchmarks.get(asked.benchmark_id)
    sealed, keys = seal(asked.sent)
    questions = state.benchmarks.questions(benchmark.id)
    job = to_new_job(ulid(ID), asked, sealed, benchmark, questions, settings=state.settings)
    added = add_once(state, job, keys, sent=asked.sent, submission=submission)
    state.wake()
    return present.to_created(added)


@router.get("")
def list_evaluations(
    state: CurrentState,
    status: QueryStatus = None,
    model_id: QueryId = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> wire.EvaluationList:
    """List evaluations, the newest first."""
    terms = [
        *([OneOf(("status",), present.statuses(status))] if status is not None else []),
        *([OneOf(("target", "model"), (model_id,))] if model_id is not None else []),
    ]
    jobs, total = state.jobs.page(FACE, Listing(tuple(terms), page_size=limit, offset=offset))
    evaluations = [present.to_listed(job, listed(partial(_summaries, state, job))) for job in jobs]
    return wire.EvaluationList(user_id=present.USER, evaluations=evaluations, total=total, limit=limit, offset=offset)


@router.get("/{evaluation_id}")
def get_evaluation(evaluation_id: PathText, state: CurrentState) -> wire.EvaluationDetail:
    """Return how far an evaluation is, and its figures once it has them."""
    job = _find(state, evaluation_id)
    summaries = _summaries(state, job)
    figures = present.to_figures(job, summaries) if summaries else wire.Figures()
    return present.to_detail(_status(state, job), job, figures)


@router.get("/{evaluation_id}/status")
def get_status(evaluation_id: PathText, state: CurrentState) -> wire.EvaluationStatus:
    """Return how far an evaluation is."""
    return _status(state, _find(state, evaluation_id))


@router.get("/{evaluation_id}/results")
def get_results(evaluation_id: PathText, state: CurrentState) -> wire.EvaluationResults:
    """Return the figures of an evaluation that is finished."""
    job = _find(state, evaluation_id)
    return present.to_results(job, _finished(state, job))


@router.get("/{evaluation_id}/download", response_class=StreamingResponse)
def download_results(evaluation_id: PathText, state: CurrentState) -> StreamingResponse:
    """Return the figures of an evaluation that is finished, and every answer, as a file."""
    job = _find(state, evaluation_id)
    results = present.to_results(job, _finished(state, job))
    check_readable(state.folder(job.id))
    rows = download.answered(state.folder(job.id), present.models_of(job))
    return StreamingResponse(
        download.document(results.model_dump(mode="json", by_alias=True), rows),
        media_type=download.MEDIA_TYPE,
        headers={"content-disposition": f"attachment; filename={download.filename(results)}"},
    )


@router.delete("/{evaluation_id}")
def delete_evaluation(evaluation_id: PathText, state: CurrentState) -> wire.EvaluationDeleted:
    """Delete an evaluation with its results; one that still runs is stopped first."""
    state.jobs.want(_find(state, evaluation_id).id, "delete")
    state.wake()
    return wire.EvaluationDeleted(id=evaluation_id, message="Successfully deleted evaluation")


def _find(state: State, evaluation_id: str) -> ListedJob:
    try:
        return state.jobs.listed(evaluation_id, FACE)
    except NotFound:
        raise NotFound("Evaluation not found") from None


def _status(state: State, job: ListedJob) -> wire.EvaluationStatus:
    return present.to_status(job, state.jobs.progress([job.id]).get(job.id), utcnow())


def _summaries(state: State, job: ListedJob) -> list[Summary] | None:
    """Return the summaries of an evaluation that is finished; None before."""
    if present.STATUS[job.status] != "READY":
        return None
    summaries = state.folder(job.id).read_summaries()
    if summaries is None:
        raise ResultsMissing(f"The results of evaluation {job.id} are no longer there")
    return summaries


def _finished(state: State, job: ListedJob) -> list[Summary]:
    """Return the summaries of an evaluation. Raises HTTPException if it has none, and says why."""
    summaries = _summaries(state, job)
    if summaries is None:
        failure = present.failure_of(job)
        raise HTTPException(400, f"Evaluation failed: {failure}" if failure else "Evaluation is not finished yet")
    return summaries
