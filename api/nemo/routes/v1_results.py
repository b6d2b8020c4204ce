"""The routes of NeMo's first version for results: those of jobs, and those that clients store."""

from contextlib import suppress
from functools import partial
from typing import Any, Final

from fastapi import APIRouter

from api.http.fields import PathText
from api.http.state import CurrentState, State
from api.lists.damage import listed
from api.lists.pages import Page, to_page
from api.nemo.lists import AskedResults
from api.nemo.present import jobs as present
from api.nemo.present import v1 as present_v1
from api.nemo.schema import responses as wire
from api.nemo.schema.results import ResultCreate, ResultUpdate
from core.errors import NotFound
from core.job import Face, base58_id
from store.db.entities import NewResult, StoredResult
from store.secrets import seal

FACE: Final[Face] = "nemo-v1"
PREFIX: Final = "evaluation_result-"

router = APIRouter(prefix="/v1/evaluation/results", tags=["NeMo v1"])


@router.post("", response_model_exclude_none=True)
def create_result(asked: ResultCreate, state: CurrentState) -> wire.Result:
    """Store a result."""
    return whole(state, state.results_table.add(NewResult(id=base58_id(PREFIX), **_given(asked))))


@router.get("", response_model_exclude_none=True)
def list_results(asked: AskedResults, state: CurrentState) -> Page[wire.Result]:
    """List results, the oldest first unless asked otherwise."""
    found, total = state.results_table.page(asked.listing)
    rows = [listed(partial(whole, state, each)) or present_v1.to_result(each) for each in found]
    return to_page(rows, total, asked)


@router.get("/{result_id}", response_model_exclude_none=True)
def get_result(result_id: PathText, state: CurrentState) -> wire.Result:
    """Return a result."""
    return whole(state, state.results_table.get(result_id))


@router.patch("/{result_id}", response_model_exclude_none=True)
def update_result(result_id: PathText, change: ResultUpdate, state: CurrentState) -> wire.Result:
    """Change a result; scores that are given take the place of its job's."""
    return whole(state, state.results_table.update(result_id, _given(change)))


@router.delete("/{result_id}")
def delete_result(result_id: PathText, state: CurrentState) -> wire.Deleted:
    """Delete a result; its job stays."""
    return present.to_deleted(state.results_table.delete(result_id).id)


def whole(state: State, stored: StoredResult) -> wire.Result:
    """Return a result with its job's scores, as far as they exist, where none are stored with it."""
    if stored.tasks is None:
        with suppress(NotFound):
            job = state.jobs.listed(stored.job, FACE)
            return present_v1.to_result(stored, job, state.folder(job.id).read_summaries() or [])
    return present_v1.to_result(stored)


def _given(asked: ResultUpdate) -> dict[str, Any]:
    """Return the fields that a request gives, without any key that it may hold."""
    sealed, _ = seal(asked.sent)
    return {name: sealed[name] for name in ResultUpdate.model_fields if sealed.get(name) is not None}
