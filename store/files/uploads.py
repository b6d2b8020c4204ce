"""Uploads that were announced and have not come yet: each has a secret URL that is good for one file.

Nobody is asked for a key there, so its token is all that lets one in; the table has only its digest.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from core.errors import NotFound, SpecInvalid
from core.job import utcnow
from store.db.connect import reading, writing
from store.db.tables import uploads
from store.files.atomic import storing, sync
from store.files.contents import FileRecord, Files, new_id
from store.files.drafts import Content, Draft
from store.objects.disk import DISK
from store.objects.objects import Objects

LIFETIME: Final = timedelta(hours=24)
"""For so long an upload may come; slow lines need hours for the largest ones."""

CHUNK_BYTES: Final = 1 << 20
SHA256: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a client says of a file before it comes: perhaps its sha256 and length, and in how many parts."""

    filename: str
    purpose: str
    file_type: str
    sha256: str | None = None
    bytes: int | None = None
    parts: int | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that is awaited, under the id that its file will have."""

    file_id: str
    announced: Announcement
    created_at: datetime
    expires_at: datetime


class Uploads:
    """The uploads that a database awaits; their files go to `files`, by way of `parts`, a folder on the same disk."""

    def __init__(self, engine: sa.Engine, files: Files, parts: Path, objects: Objects = DISK) -> None:
        self._engine = engine
        self._files = files
        self._parts = parts
        self._objects = objects

    def begin(self, announced: Announcement) -> tuple[Upload, str]:
        """Await a file; return the upload and the token by which the file may come.

        What has expired by now goes.
        """
        now = utcnow()
        upload = Upload(new_id(), announced, created_at=now, expires_at=now + LIFETIME)
        token = secrets.token_urlsafe(32)
        self.sweep()
        times = {"created_at": upload.created_at, "expires_at": upload.expires_at}
        with writing(self._engine) as connection:
            connection.execute(
                sa.insert(uploads).values(
                    file_id=upload.file_id, token_digest=_digest(token), **asdict(announced), **times
                )
            )
        return upload, token

    def find(self, file_id: str) -> Upload | None:
        """Return the upload by which a file is awaited; None once it has come, or no longer can."""
        return self._select(uploads.c.file_id == file_id)

    def by_token(self, token: str) -> Upload:
        """Return the upload that a token is for. Raises NotFound if it is unknown, used or expired."""
        upload = self._select(uploads.c.token_digest == _digest(token))
        if upload is None:
            raise _gone()
        return upload

    def put(self, upload: Upload, draft: Draft) -> FileRecord:
        """Keep the file that was awaited, after which its token is used up.

        Raises NotFound if that is so already, and SpecInvalid if the file is not the one that was announced.
        """
        announced, content = upload.announced, draft.finish()
        _check(announced, content)
        record = FileRecord(
            id=upload.file_id,
            filename=announced.filename,
            purpose=announced.purpose,
            file_type=announced.file_type,
            **asdict(content),
            created_at=utcnow(),
        )
        with self._files.placing([(record, draft)]), writing(self._engine) as connection:
            taken = connection.execute(sa.delete(uploads).where(uploads.c.file_id == upload.file_id))
            if not taken.rowcount:
                raise _gone()
            return self._files.add(connection, record, draft)

    def put_part(self, upload: Upload, number: int, draft: Draft) -> str:
        """Keep a part of a file, in the place of one of its number, and return the tag by which `complete` takes it.

        Raises NotFound unless the file is awaited in so many parts, and SpecInvalid if it is longer than all of them.
        """
        announced, content = upload.announced, draft.finish()
        if not 1 <= number <= (announced.parts or 0):
            raise NotFound(f"The upload has no part {number}")
        if announced.bytes is not None and content.bytes > announced.bytes:
            raise _wrong_length(announced, content)
        path = self._part(upload, number, content.sha256)
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._objects.move(draft.path, path)
            sync(path.parent)
        for name in self._objects.names(path.parent):
            if name.startswith(f"{number}-") and name != path.name:
                self._objects.delete(path.with_name(name))
        return content.sha256

    def complete(self, upload: Upload, tags: Sequence[str]) -> FileRecord:
        """Join the parts, whose tags are given in their order, and keep the file as `put` does."""
        if len(tags) != upload.announced.parts:
            raise SpecInvalid(f"the upload has {upload.announced.parts} parts, {len(tags)} are named", field="parts")
        with self._files.draft() as draft:
            for number, tag in enumerate(tags, start=1):
                self._append(draft, upload, number, tag)
            record = self.put(upload, draft)
        self._objects.delete_folder(self._folder(upload.file_id))
        return record

    def drop(self, upload: Upload) -> None:
        """Await a file no longer, and delete the parts that have come."""
        with writing(self._engine) as connection:
            connection.execute(sa.delete(uploads).where(uploads.c.file_id == upload.file_id))
        self._objects.delete_folder(self._folder(upload.file_id))

    def sweep(self) -> None:
        """Delete the uploads that have expired, and the parts of those that are awaited no longer."""
        names = self._objects.names(self._parts)  # before the uploads: one that begins now has none yet
        with writing(self._engine) as connection:
            connection.execute(sa.delete(uploads).where(uploads.c.expires_at <= utcnow()))
            awaited = set(connection.scalars(sa.select(uploads.c.file_id)))
        for name in names:
            if name not in awaited:
                self._objects.delete_folder(self._folder(name))

    def _select(self, condition: sa.ColumnElement[bool]) -> Upload | None:
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(uploads).where(condition, uploads.c.expires_at > utcnow())).one_or_none()
        if row is None:
            return None
        values = row._mapping
        announced = Announcement(**{field.name: values[field.name] for field in fields(Announcement)})
        return Upload(row.file_id, announced, row.created_at, row.expires_at)

    def _append(self, draft: Draft, upload: Upload, number: int, tag: str) -> None:
        path = self._objects.file(self._part(upload, number, tag))
        if SHA256.fullmatch(tag) is None or not path.exists():
            raise SpecInvalid(f"part {number} has not come, or has another ETag", field="parts")
        with path.open("rb") as part:
            while chunk := part.read(CHUNK_BYTES):
                draft.write(chunk)

    def _folder(self, file_id: str) -> Path:
        return self._parts / file_id

    def _part(self, upload: Upload, number: int, tag: str) -> Path:
        return self._folder(upload.file_id) / f"{number}-{tag}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def _gone() -> NotFound:
    return NotFound("This upload URL is unknown, used or expired; begin the upload again")


def _check(announced: Announcement, content: Content) -> None:
    if announced.bytes not in (None, content.bytes):
        raise _wrong_length(announced, content)
    content.check(announced.sha256)


def _wrong_length(announced: Announcement, content: Content) -> SpecInvalid:
    return SpecInvalid(f"{content.bytes} bytes came, {announced.bytes} were announced", field="file_size")
