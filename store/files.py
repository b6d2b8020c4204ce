"""Uploaded files: records in a table, contents once each under the name of their sha256."""

import hashlib
import os
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from core.errors import NotFound
from core.job import utcnow
from store.atomic import storing, sync
from store.connect import reading, writing
from store.tables import files


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What is known of an upload. A last line without a line break counts as a line."""

    id: str
    filename: str
    purpose: str
    file_type: str
    bytes: int
    line_count: int
    sha256: str
    created_at: datetime


class Files:
    """The uploads of a database, whose contents lie at `root/ab/<sha256 beginning with ab>`."""

    def __init__(self, engine: sa.Engine, root: Path) -> None:
        self._engine = engine
        self._root = root

    def save(self, chunks: Iterable[bytes], *, filename: str, purpose: str, file_type: str) -> FileRecord:
        """Keep an upload and return its record; nothing is left of one that breaks off.

        Raises StorageFull if the disk is full.
        """
        draft = self._root / f".{uuid.uuid4().hex}.tmp"
        with storing(self._root / filename):
            try:
                content = _receive(chunks, draft)
                record = FileRecord(
                    id=f"file-{uuid.uuid4()}",
                    filename=filename,
                    purpose=purpose,
                    file_type=file_type,
                    bytes=content.bytes,
                    line_count=content.line_count,
                    sha256=content.sha256,
                    created_at=utcnow(),
                )
                self._publish(draft, record)
            finally:
                draft.unlink(missing_ok=True)
        return record

    def get(self, file_id: str) -> FileRecord:
        """Return the record of an upload. Raises NotFound."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(files).where(files.c.id == file_id)).one_or_none()
        if row is None:
            raise NotFound("File not found")
        return FileRecord(**row._mapping)

    def path(self, record: FileRecord) -> Path:
        """Return where an upload's content lies."""
        return self._root / record.sha256[:2] / record.sha256

    def delete(self, file_id: str) -> None:
        """Delete an upload, and its content if no other has the same. Raises NotFound."""
        record = self.get(file_id)
        with writing(self._engine) as connection:
            connection.execute(sa.delete(files).where(files.c.id == file_id))
        # Only once the record is gone for good: a crash between leaves content that nothing names.
        with writing(self._engine) as connection:
            _lock(connection)
            same = sa.select(sa.func.count()).select_from(files).where(files.c.sha256 == record.sha256)
            if connection.scalar(same) == 0:
                self.path(record).unlink(missing_ok=True)

    def _publish(self, draft: Path, record: FileRecord) -> None:
        path = self.path(record)
        path.parent.mkdir(exist_ok=True)
        sync(self._root)
        with writing(self._engine) as connection:
            _lock(connection)
            connection.execute(sa.insert(files).values(asdict(record)))
            draft.replace(path)
            sync(path.parent)


@dataclass(frozen=True, slots=True)
class _Content:
    bytes: int
    line_count: int
    sha256: str


def _receive(chunks: Iterable[bytes], path: Path) -> _Content:
    """Write the chunks to a new file, durably, and measure them on the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    size = breaks = 0
    last = b"\n"
    with path.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            breaks += chunk.count(b"\n")
            last = chunk[-1:] or last
        file.flush()
        os.fsync(file.fileno())
    return _Content(size, breaks + (last != b"\n"), digest.hexdigest())


def _lock(connection: sa.Connection) -> None:
    """Keep others from adding or taking away content; on SQLite a writer is alone already."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE files IN SHARE ROW EXCLUSIVE MODE"))
