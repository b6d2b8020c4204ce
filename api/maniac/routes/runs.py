"""The routes of evaluation runs."""

import uuid
from contextlib import ExitStack
from functools import partial

import orjson
from fastapi import APIRouter

from api.http.fields import PathText
from api.http.state import CurrentState, State
from api.http.submission import CurrentSubmission, add_once
from api.lists.damage import listed
from api.maniac.lists import part
from api.maniac.plan import Plan, plan_of
from api.maniac.present import STATUS, RunStatus, results_of, to_run
from api.maniac.schema import responses as wire
from api.maniac.schema.fields import InContainer, Limit, Offset
from api.maniac.schema.runs import RunCreate
from api.maniac.sources import Tally, examples, rows
from api.maniac.translate import FACE, to_new_job
from core.errors import NotFound
from core.job import ListedJob
from core.queries.lists import OneOf, Term
from store.files.contents import FileRecord
from store.files.inputs import FILENAME, PURPOSE

router = APIRouter(prefix="/v1/evaluation/runs", tags=["Maniac"])


@router.get("")
def list_runs(
    state: CurrentState,
    container: InContainer = None,
    status: RunStatus | None = None,
    limit: Limit = 20,
    offset: Offset = 0,
) -> wire.Listed[wire.Run]:
    """List runs, the newest first."""
    terms: list[Term] = []
    if container is not None:  # an id, or else a label, which a run keeps when its container is gone
        label = state.containers.names([container]).get(container, container)
        terms.append(OneOf(("config",), (label,)))
    if status is not None:
        terms.append(OneOf(("status",), tuple(each for each, shown in STATUS.items() if shown == status)))
    found, total = state.jobs.page(FACE, part(limit, offset, *terms))
    return wire.Listed(data=[to_run(job, listed(partial(_results, state, job))) for job in found], total=total)


@router.post("")
def create_run(asked: RunCreate, submission: CurrentSubmission, state: CurrentState) -> wire.Run:
    """Record a run and have it started; what it names is kept as it is now."""
    plan, job_id, tally = plan_of(state, asked), str(uuid.uuid4()), Tally()
    with ExitStack() as undo:
        file = _keep_rows(state, job_id, plan, tally)
        undo.callback(state.files.delete, file.id)
        job = to_new_job(job_id, asked, plan, file, tally)
        added = add_once(state, job, {}, sent=asked.sent, submission=submission)
        if added.id == job_id:
            undo.pop_all()
    state.wake()
    return _shown(state, added)


@router.get("/{run_id}")
def get_run(run_id: PathText, state: CurrentState) -> wire.Run:
    """Return a run, with its results once it has ended."""
    return _shown(state, _find(state, run_id))


@router.post("/{run_id}/cancel")
def cancel_run(run_id: PathText, state: CurrentState) -> wire.Run:
    """Have a run stopped; what it has done so far is kept."""
    job = state.jobs.want(_find(state, run_id).id, "cancel")
    state.wake()
    return _shown(state, job)


def _find(state: State, run_id: str) -> ListedJob:
    try:
        return state.jobs.listed(run_id, FACE)
    except NotFound:
        raise NotFound(f"Evaluation run {run_id!r} not found") from None


def _keep_rows(state: State, job_id: str, plan: Plan, tally: Tally) -> FileRecord:
    """Keep what a run evaluates, read and written one by one. Raises SpecInvalid if there is nothing."""
    found = rows(examples(state, plan.sides), tally)
    lines = (orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in found)
    return state.files.save(lines, filename=FILENAME, purpose=PURPOSE, file_type="jsonl", job=job_id)


def _shown(state: State, job: ListedJob) -> wire.Run:
    return to_run(job, _results(state, job))


def _results(state: State, job: ListedJob) -> wire.Results | None:
    return results_of(job, state.folder(job.id))
