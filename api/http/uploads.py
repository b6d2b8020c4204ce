"""Files on their way in: bodies that go to disk as they come, and what files may be called."""

import re
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Final

from fastapi import HTTPException, Request
from pydantic import AfterValidator, Field, StringConstraints
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from core.patterns import Like
from store.files.contents import Files
from store.files.drafts import Draft

SEPARATOR: Final = re.compile(r"[/\\]")


def bare_name(name: str) -> str:
    """Return the last part of a path, without characters that cannot be seen.

    Raises ValueError if nothing is left.
    """
    visible = "".join(each for each in SEPARATOR.split(name)[-1] if not unicodedata.category(each).startswith("C"))
    if visible.strip(" .") == "":
        raise ValueError("names no file")
    return visible


FileName = Annotated[str, AfterValidator(bare_name), Field(max_length=255)]
Checksum = Annotated[
    str, StringConstraints(to_lower=True), Like(r"^[0-9a-fA-F]{64}$", "a SHA-256 has 64 hexadecimal digits")
]


@asynccontextmanager
async def drafting(files: Files) -> AsyncIterator[Draft]:
    """Give an empty file, which goes at the end unless it was kept."""
    draft = await run_in_threadpool(files.draft)
    try:
        yield draft
    finally:
        await run_in_threadpool(draft.discard)


async def receive(request: Request, write: Callable[[bytes], None]) -> None:
    """Give a request's body to `write`, piece by piece and in a thread: it may have to wait for the disk."""
    try:
        async for chunk in request.stream():
            await run_in_threadpool(write, chunk)
    except ClientDisconnect:
        raise HTTPException(400, "The request broke off") from None
