"""The routes of uploads, which specifications name as `file:ID`: each content is kept once under a name."""

from contextlib import suppress
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.http.fields import PathText
from api.http.state import CurrentState, State
from api.http.uploads import Checksum, FileName, drafting, receive
from api.native.present.files import to_file
from api.native.schema import files as wire
from core.errors import NotFound
from store.files.contents import FileRecord
from store.files.drafts import Draft

PURPOSE: Final = "upload"
"""What files are for here; those of other purposes belong to other faces, or to jobs."""

BODY: Final[dict[str, Any]] = {
    "requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}

Limit = Annotated[int, Query(ge=1, le=1000)]

router = APIRouter(prefix="/api/assay/v1/files", tags=["Assay"])


@router.post("", status_code=201, openapi_extra=BODY)
async def upload_file(
    request: Request, state: CurrentState, filename: Annotated[FileName, Query()], sha256: Checksum | None = None
) -> wire.File:
    """Keep the body as a file, or return the one of that name that has the same content, as one that came just now."""
    async with drafting(state.files) as draft:
        await receive(request, draft.write)
        return to_file(await run_in_threadpool(_keep, state, draft, filename, sha256))


@router.get("")
def list_files(
    state: CurrentState, filename: FileName | None = None, sha256: Checksum | None = None, limit: Limit = 100
) -> wire.Files:
    """List the uploads, the newest first: all, or those of a name or of a content."""
    found = state.files.newest(purposes=[PURPOSE], filename=filename, sha256=sha256, limit=limit)
    return wire.Files(data=list(map(to_file, found)))


@router.post("/{file_id}/renew")
def renew_file(file_id: PathText, state: CurrentState) -> wire.File:
    """Take an upload for one that came just now: what removes old ones that nothing names leaves it for as long."""
    return to_file(state.files.renew(_find(state, file_id).id))


@router.delete("/{file_id}", status_code=204, response_class=Response)
def delete_file(file_id: PathText, state: CurrentState) -> None:
    """Delete an upload; jobs that have begun keep the rows that they read of it."""
    state.files.delete(_find(state, file_id).id)


def _find(state: State, file_id: str) -> FileRecord:
    if (record := state.files.find(file_id)) is None or record.purpose != PURPOSE:
        raise NotFound(f"there is no upload {file_id!r}")
    return record


def _keep(state: State, draft: Draft, filename: str, sha256: str | None) -> FileRecord:
    content = draft.finish()
    content.check(sha256)
    same = state.files.newest(purposes=[PURPOSE], filename=filename, sha256=content.sha256, limit=1)
    for each in same:
        with suppress(NotFound):  # it has been removed meanwhile
            return state.files.renew(each.id)
    return state.files.keep(draft, filename=filename, purpose=PURPOSE, file_type="")
