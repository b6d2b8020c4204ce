"""Uploaded files: records in a table, contents once each under the name of their sha256."""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from core.errors import NotFound
from core.job import utcnow
from store.db.connect import reading, writing
from store.db.tables import files
from store.files.atomic import storing, sync
from store.files.drafts import PATTERN, Draft


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What is known of an upload."""

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

    def draft(self) -> Draft:
        """Return an empty file, to be filled and then given to `keep`."""
        return Draft(self._root)

    def save(
        self, chunks: Iterable[bytes], *, filename: str, purpose: str, file_type: str, file_id: str | None = None
    ) -> FileRecord:
        """Keep a file and return its record; nothing is left of one that breaks off.

        An id that is taken stands for the file that has it. Raises StorageFull if the disk is full.
        """
        with self.draft() as draft:
            for chunk in chunks:
                draft.write(chunk)
            return self.keep(draft, filename=filename, purpose=purpose, file_type=file_type, file_id=file_id)

    def keep(
        self,
        draft: Draft,
        *,
        filename: str,
        purpose: str,
        file_type: str,
        file_id: str | None = None,
        sha256: str | None = None,
    ) -> FileRecord:
        """Keep what was written to a draft, as `save` does. Raises SpecInvalid if `sha256` is given and not its own."""
        content = draft.finish()
        content.check(sha256)
        record = FileRecord(
            id=file_id or new_id(),
            filename=filename,
            purpose=purpose,
            file_type=file_type,
            **asdict(content),
            created_at=utcnow(),
        )
        with writing(self._engine) as connection:
            return self.add(connection, record, draft)

    def add(self, connection: sa.Connection, record: FileRecord, draft: Draft) -> FileRecord:
        """Keep a draft, which is finished, as part of a transaction; return the record that has its id."""
        _lock(connection)
        taken = connection.execute(sa.select(files).where(files.c.id == record.id)).one_or_none()
        if taken is not None:
            return FileRecord(**taken._mapping)
        path = self.path(record)
        with storing(path):
            path.parent.mkdir(exist_ok=True)
            sync(self._root)
            connection.execute(sa.insert(files).values(asdict(record)))
            draft.move(path)
            sync(path.parent)
        return record

    def get(self, file_id: str) -> FileRecord:
        """Return the record of an upload. Raises NotFound."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(files).where(files.c.id == file_id)).one_or_none()
        if row is None:
            raise NotFound("File not found")
        return FileRecord(**row._mapping)

    def newest(
        self, *, purposes: Collection[str] | None = None, filename: str | None = None, limit: int | None = None
    ) -> list[FileRecord]:
        """Return the records of the uploads, the newest first: all, or those for some purposes or of some name."""
        query = sa.select(files).order_by(files.c.created_at.desc(), files.c.id.desc()).limit(limit)
        if purposes is not None:
            query = query.where(files.c.purpose.in_(purposes))
        if filename is not None:
            query = query.where(files.c.filename == filename)
        with reading(self._engine) as connection:
            return [FileRecord(**row._mapping) for row in connection.execute(query)]

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

    def drop_drafts(self) -> None:
        """Delete the drafts that a process has left behind; no other may be writing any."""
        for draft in self._root.glob(PATTERN):
            draft.unlink(missing_ok=True)


def input_id(job_id: str) -> str:
    """Return the id of the file of samples that was made for a job, and goes with it."""
    return f"file-{job_id}"


def new_id() -> str:
    """Return an id for an upload."""
    return f"file-{uuid.uuid4()}"


def _lock(connection: sa.Connection) -> None:
    """Keep others from adding or taking away content; on SQLite a writer is alone already."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE files IN SHARE ROW EXCLUSIVE MODE"))
