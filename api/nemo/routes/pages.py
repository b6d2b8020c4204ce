"""A job's own page, which shows all that its request held; its rows go from their file to the answer as they are."""

from dataclasses import replace

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from api.http.state import State
from core.errors import NotFound, ResultsMissing
from core.job import Job
from store.files.inputs import array_of, with_rows


def whole(state: State, job: Job) -> Job:
    """Return a job with a request as it came, rows and all. Raises ResultsMissing if their file is gone."""
    return replace(job, request=with_rows(job.request, job.inputs, lambda file_id: _rows(state, job, file_id)))


def to_json(shown: BaseModel) -> bytes:
    """Return what is shown of a job as JSON."""
    return orjson.dumps(shown.model_dump())


def page(shown: BaseModel, *, status: int = 200) -> Response:
    """Answer with what is shown of a job."""
    return Response(to_json(shown), status, media_type="application/json")


def _rows(state: State, job: Job, file_id: str) -> orjson.Fragment:
    try:
        return orjson.Fragment(array_of(state.files.path(state.files.get(file_id)).read_bytes()))
    except (NotFound, FileNotFoundError):
        raise ResultsMissing(f"The rows that job {job.id} came with are no longer there ({file_id})") from None
