"""The routes of uploads: where an announced file is put, whole or in parts."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.http.state import CurrentState, State
from api.http.uploads import drafting, receive
from api.together.present import files as present
from api.together.schema import files as wire
from core.errors import NotFound, SpecInvalid
from store.files.uploads import Announcement, Upload

Token = Annotated[str, Path(max_length=100)]

router = APIRouter(tags=["Together files"])


@router.put("/uploads/{token}", response_class=Response)
async def put_file(token: Token, request: Request, state: CurrentState) -> Response:
    """Keep the file that was announced."""
    upload = await run_in_threadpool(state.uploads.by_token, token)
    if upload.announced.parts is not None:
        raise NotFound("The file is awaited in parts; put each at its own URL")
    async with drafting(state.files) as draft:
        await receive(request, draft.write)
        await run_in_threadpool(state.uploads.put, upload, draft)
    return Response()


@router.put("/uploads/{token}/{number}", response_class=Response)
async def put_part(token: Token, number: int, request: Request, state: CurrentState) -> Response:
    """Keep a part of a file; the answer's ETag is what completes the upload."""
    upload = await run_in_threadpool(state.uploads.by_token, token)
    async with drafting(state.files) as draft:
        await receive(request, draft.write)
        tag = await run_in_threadpool(state.uploads.put_part, upload, number, draft)
    return Response(headers={"ETag": f'"{tag}"'})


@router.post("/v1/files/multipart/initiate")
def begin_upload(asked: wire.AnnouncedParts, request: Request, state: CurrentState) -> wire.PartsAwaited:
    """Say where to put the parts of a large file."""
    limit = state.settings.max_upload
    if asked.file_size > limit:
        raise HTTPException(413, f"The file is longer than {limit} bytes")
    upload, token = state.uploads.begin(
        Announcement(
            asked.file_name,
            asked.purpose,
            asked.file_type,
            sha256=asked.checksum,
            bytes=asked.file_size,
            parts=asked.num_parts,
        )
    )
    return present.to_parts(upload, upload_url(state, request, token))


@router.post("/v1/files/multipart/complete")
def complete_upload(sent: wire.PartsSent, state: CurrentState) -> wire.FileCompleted:
    """Join the parts of a file; asked again, return what they have made."""
    upload = _awaited(state, sent)
    if upload is None:
        return wire.FileCompleted(file=present.to_file(state.files.get(sent.file_id)))
    parts = sorted(sent.parts, key=lambda part: part.part_number)
    if [part.part_number for part in parts] != list(range(1, len(parts) + 1)):
        raise SpecInvalid("name each part once, from 1 on", field="parts")
    record = state.uploads.complete(upload, [part.etag.strip('"') for part in parts])
    return wire.FileCompleted(file=present.to_file(record))


@router.post("/v1/files/multipart/abort")
def abort_upload(named: wire.UploadNamed, state: CurrentState) -> wire.UploadAborted:
    """Await a file no longer, and delete the parts that have come."""
    upload = _awaited(state, named)
    if upload is None:
        raise NotFound("Upload not found")
    state.uploads.drop(upload)
    return wire.UploadAborted(file_id=upload.file_id)


def upload_url(state: State, request: Request, token: str) -> str:
    """Return the URL, whole, where the upload of a token is put."""
    base = state.settings.public_url or str(request.base_url)
    return f"{base.rstrip('/')}/uploads/{token}"


def _awaited(state: State, named: wire.UploadNamed) -> Upload | None:
    if named.upload_id != named.file_id:
        raise NotFound("Upload not found")
    return state.uploads.find(named.file_id)
