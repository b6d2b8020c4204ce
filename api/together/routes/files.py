"""The routes of Together's files. Those that come in parts have theirs in `uploads`."""

from typing import Any, Final, get_args

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from api.http.fields import PathText
from api.http.state import CurrentState, State
from api.http.uploads import drafting
from api.together.present import files as present
from api.together.routes.form import Form, read_form
from api.together.routes.uploads import upload_url
from api.together.schema import files as wire
from core.errors import NotFound, SpecInvalid
from store.files.contents import FileRecord
from store.files.drafts import Draft
from store.files.uploads import Announcement

PURPOSES: Final[tuple[str, ...]] = get_args(wire.Purpose)
"""What files are for here; those of other purposes belong to other faces."""

AWAITED: Final[dict[int | str, dict[str, Any]]] = {302: {"description": "Put the file at `Location`"}}
FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string", "enum": list(PURPOSES)},
                        "file_name": {"type": "string"},
                        "file_type": {"type": "string", "enum": list(get_args(wire.FileType))},
                        "checksum": {"type": "string"},
                    },
                }
            }
        }
    }
}
"""The form that the routes read by themselves, for the schema of the API."""

CONTENT: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"application/octet-stream": {}}}}

router = APIRouter(prefix="/v1/files", tags=["Together files"])


@router.post("", response_model=wire.FileObject, responses=AWAITED, openapi_extra=FORM)
async def create_file(request: Request, state: CurrentState) -> wire.FileObject | Response:
    """Keep the file in a form; without one, say where to put the file that the fields announce."""
    async with drafting(state.files) as draft:
        form = await read_form(request, draft)
        if form.filename is not None:
            return await run_in_threadpool(_keep, state, form, draft)
    return await run_in_threadpool(_expect, state, form, request)


@router.post("/upload", openapi_extra=FORM)
async def upload_file(request: Request, state: CurrentState) -> wire.FileObject:
    """Keep the file in a form."""
    async with drafting(state.files) as draft:
        form = await read_form(request, draft)
        if form.filename is None:
            raise SpecInvalid("give the file as a part of a multipart form, with a file name", field="file")
        return await run_in_threadpool(_keep, state, form, draft)


@router.get("")
def list_files(state: CurrentState) -> wire.FileList:
    """List the files, the newest first."""
    return wire.FileList(data=[present.to_file(record) for record in state.files.newest(purposes=wire.LISTED)])


@router.get("/{file_id}")
def get_file(file_id: PathText, state: CurrentState) -> wire.FileObject:
    """Return what is known of a file, also before it has come."""
    upload = state.uploads.find(file_id)
    return present.to_awaited(upload) if upload else present.to_file(own_file(state, file_id))


@router.post("/{file_id}/preprocess")
def preprocess_file(file_id: PathText, state: CurrentState) -> wire.FileObject:
    """Return what is known of a file: all was done when it came."""
    return get_file(file_id, state)


@router.get("/{file_id}/content", response_class=FileResponse, responses=CONTENT)
def get_content(file_id: PathText, state: CurrentState) -> FileResponse:
    """Return the bytes of a file."""
    record = own_file(state, file_id)
    return FileResponse(state.files.path(record), media_type="application/octet-stream", filename=record.filename)


@router.delete("/{file_id}")
def delete_file(file_id: PathText, state: CurrentState) -> wire.FileDeleted:
    """Delete a file, or await it no longer."""
    upload = state.uploads.find(file_id)
    if upload:
        state.uploads.drop(upload)
    else:
        state.files.delete(own_file(state, file_id).id)
    return wire.FileDeleted(id=file_id)


def _keep(state: State, form: Form, draft: Draft) -> wire.FileObject:
    given = _read({"file_name": form.filename, **form.fields})
    record = state.files.keep(
        draft,
        filename=given.file_name,
        purpose=given.purpose,
        file_type=given.file_type,
        sha256=given.checksum,
    )
    return present.to_file(record)


def _expect(state: State, form: Form, request: Request) -> Response:
    given = _read(form.fields)
    upload, token = state.uploads.begin(
        Announcement(given.file_name, given.purpose, given.file_type, sha256=given.checksum)
    )
    location = upload_url(state, request, token)
    return Response(status_code=302, headers={"Location": location, "X-Together-File-Id": upload.file_id})


def _read(fields: dict[str, Any]) -> wire.Announced:
    try:
        return wire.Announced.model_validate(fields)
    except ValidationError as error:
        details = [each | {"loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(details, body=fields) from None


def own_file(state: State, file_id: str) -> FileRecord:
    """Return a file of a purpose that there is here; others are those of other faces. Raises NotFound."""
    record = state.files.get(file_id)
    if record.purpose not in PURPOSES:
        raise NotFound("File not found")
    return record
