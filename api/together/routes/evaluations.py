"""The routes of Together's evaluations."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Final, Literal, get_args

from fastapi import APIRouter, Query
from starlette.convertors import StringConvertor, register_url_convertor

from api.http.fields import JsonDict
from api.http.state import CurrentState, State
from api.http.submission import CurrentSubmission, Submission, add_once
from api.lists.damage import listed
from api.together.present import evaluations as present
from api.together.result_file import results_of
from api.together.routes.files import PURPOSES, own_file
from api.together.schema import evaluations as schema
from api.together.schema import responses as wire
from api.together.translate import FACE, new_id, to_new_job
from core.errors import Conflict, NotFound, SpecInvalid
from core.job import Job, ListedJob, NewJob
from core.queries.lists import Listing
from core.spec import UPLOAD_SCHEME, FileFormat, FilesDataset
from store.files.contents import FileRecord
from store.secrets import seal

FILE_FIELD: Final = "parameters.input_data_file_path"


class JobIdConvertor(StringConvertor):
    """Matches ids of our jobs alone: others have paths below the same one."""

    regex = schema.ID


register_url_convertor("together_job", JobIdConvertor())

router = APIRouter(prefix="/v1", tags=["Together"])


@router.post("/evaluation")
def create_job(asked: schema.EvaluationRequest, submission: CurrentSubmission, state: CurrentState) -> wire.Created:
    """Record a job and have it started; a request that is sent again is answered with its first job."""
    job = add_job(state, asked, submission)
    state.wake()
    return wire.Created(workflow_id=job.id)


@router.get("/evaluations")
@router.get("/evaluation")
def list_jobs(
    state: CurrentState,
    status: schema.Status | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> list[wire.EvaluationJob]:
    """List the newest jobs, the newest first."""
    terms = present.terms_of(status) if status else ()
    jobs, _ = state.jobs.page(FACE, Listing(terms, page_size=limit))
    return [present.to_job(job, listed(partial(_results, state, job))) for job in jobs]


@router.get("/evaluation/model-list")
def list_models(state: CurrentState, model_source: Literal[schema.Source, "all"] = "all") -> wire.ModelList:
    """List the models that have an address in the settings; those that answer elsewhere are not known."""
    return wire.ModelList(model_list=[] if model_source == "external" else sorted(state.settings.models))


@router.get("/evaluation/{job_id:together_job}")
def get_job(job_id: str, state: CurrentState) -> wire.EvaluationJob:
    """Return a job."""
    job = state.jobs.listed(job_id, FACE)
    return present.to_job(job, _results(state, job))


@router.get("/evaluation/{job_id:together_job}/status")
def get_status(job_id: str, state: CurrentState) -> wire.JobStatus:
    """Return how far a job is, and what it came to."""
    job = state.jobs.listed(job_id, FACE)
    return present.to_status(job, _results(state, job))


def add_job(state: State, asked: schema.EvaluationRequest, submission: Submission) -> Job:
    """Record the job that is asked for; if the same was sent before, the job that it has made is returned."""
    sealed, keys = seal(asked.sent)
    dataset = _dataset(_file(state, asked.parameters.input_data_file_path))
    job = to_new_job(new_id(), sealed, dataset, state.settings)
    return add_under_free_id(state, job, keys, sent=asked.sent, submission=submission)


def add_under_free_id(
    state: State, job: NewJob, keys: Mapping[str, str], *, sent: JsonDict, submission: Submission
) -> Job:
    """Record a job, under another id if its own is taken: a second has only 65,536."""
    try:
        return add_once(state, job, keys, sent=sent, submission=submission)
    except Conflict:
        if not _is_taken(state, job.id):
            raise
    fresh = new_id()
    return add_under_free_id(state, replace(job, id=fresh, name=fresh), keys, sent=sent, submission=submission)


def _is_taken(state: State, job_id: str) -> bool:
    try:
        return bool(state.jobs.listed(job_id))
    except NotFound:
        return False


def _file(state: State, given: str) -> FileRecord:
    """Return an upload by its id, or the newest by its name. Raises SpecInvalid."""
    try:
        return own_file(state, given)
    except NotFound:
        named = state.files.newest(purposes=PURPOSES, filename=given, limit=1)
    if not named:
        raise SpecInvalid(f"there is no file {given!r}; upload it first, and give its id", field=FILE_FIELD)
    return named[0]


def _dataset(file: FileRecord) -> FilesDataset:
    """Return an upload as a dataset. Raises SpecInvalid for a type that holds no rows."""
    file_format = next((known for known in get_args(FileFormat) if known == file.file_type), None)
    if file_format is None:
        raise SpecInvalid(f"{file.id} is of type {file.file_type!r}, and not jsonl or csv", field=FILE_FIELD)
    return FilesDataset(url=f"{UPLOAD_SCHEME}{file.id}", format=file_format)


def _results(state: State, job: ListedJob) -> wire.Results | None:
    return results_of(state, job) if job.status == "completed" else None
