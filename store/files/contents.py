"""Uploaded files: records in a table, contents once each under the name of their sha256."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
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
from store.objects.disk import DISK
from store.objects.objects import Objects


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What is known of a file; one that was made for a `job` goes with it."""

    id: str
    filename: str
    purpose: str
    file_type: str
    bytes: int
    line_count: int
    sha256: str
    created_at: datetime
    job: str | None = None


class Files:
    """The uploads of a database, whose contents lie at `root/ab/<sha256 beginning with ab>`."""

    def __init__(self, engine: sa.Engine, root: Path, objects: Objects = DISK) -> None:
        self._engine = engine
        self._root = root
        self._objects = objects

    def draft(self) -> Draft:
        """Return an empty file, to be filled and then given to `keep`."""
        return Draft(self._root)

    def save(
        self,
        chunks: Iterable[bytes],
        *,
        filename: str,
        purpose: str,
        file_type: str,
        file_id: str | None = None,
        job: str | None = None,
    ) -> FileRecord:
        """Keep a file and return its record; nothing is left of one that breaks off.

        An id that is taken stands for the file that has it. Raises StorageFull if the disk is full.
        """
        with self.draft() as draft:
            for chunk in chunks:
                draft.write(chunk)
            kept = {"filename": filename, "purpose": purpose, "file_type": file_type}
            return self.keep(draft, **kept, file_id=file_id, job=job)

    def keep(
        self,
        draft: Draft,
        *,
        filename: str,
        purpose: str,
        file_type: str,
        file_id: str | None = None,
        sha256: str | None = None,
        job: str | None = None,
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
            job=job,
        )
        with self.placing([(record, draft)]), writing(self._engine) as connection:
            return self.add(connection, record, draft)

    @contextmanager
    def placing(self, files: Sequence[tuple[FileRecord, Draft]]) -> Iterator[None]:
        """Surround the transaction that adds records and drafts: the disk is waited for outside of it."""
        folders = {self._place(record).parent for record, _ in files}
        with storing(self._root):
            for folder in folders:
                if not folder.exists():
                    folder.mkdir(exist_ok=True)
                    sync(self._root)
            for record, draft in files:
                self._objects.offer(draft.path, self._place(record))
            yield
            for folder in folders:
                sync(folder)

    def add(self, connection: sa.Connection, record: FileRecord, draft: Draft) -> FileRecord:
        """Keep a draft, which is finished, as part of a transaction in `placing`; return the record that has its id."""
        _lock(connection)
        taken = connection.execute(sa.select(files).where(files.c.id == record.id)).one_or_none()
        if taken is not None:
            return FileRecord(**taken._mapping)
        connection.execute(sa.insert(files).values(asdict(record)))
        self._objects.move(draft.path, self._place(record))
        return record

    def share(self, connection: sa.Connection, record: FileRecord) -> None:
        """Keep a record of a content that another has, as part of a transaction, unless that one is gone by now."""
        _lock(connection)
        if connection.scalar(sa.select(sa.exists().where(files.c.sha256 == record.sha256))):
            connection.execute(sa.insert(files).values(asdict(record)))

    def get(self, file_id: str) -> FileRecord:
        """Return the record of an upload. Raises NotFound."""
        record = self.find(file_id)
        if record is None:
            raise NotFound("File not found")
        return record

    def find(self, file_id: str) -> FileRecord | None:
        """Return the record of an upload, if there is one."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(files).where(files.c.id == file_id)).one_or_none()
        return FileRecord(**row._mapping) if row else None

    def renew(self, file_id: str) -> FileRecord:
        """Take an upload for one that came just now, and return its record. Raises NotFound."""
        renewed = sa.update(files).where(files.c.id == file_id).values(created_at=utcnow()).returning(*files.c)
        with writing(self._engine) as connection:
            row = connection.execute(renewed).one_or_none()
        if row is None:
            raise NotFound("File not found")
        return FileRecord(**row._mapping)

    def newest(
        self,
        *,
        purposes: Collection[str] | None = None,
        filename: str | None = None,
        sha256: str | None = None,
        limit: int | None = None,
    ) -> list[FileRecord]:
        """Return the records of the uploads, the newest first: all, or those for purposes, of a name, of a content."""
        query = sa.select(files).order_by(files.c.created_at.desc(), files.c.id.desc()).limit(limit)
        if purposes is not None:
            query = query.where(files.c.purpose.in_(purposes))
        if filename is not None:
            query = query.where(files.c.filename == filename)
        if sha256 is not None:
            query = query.where(files.c.sha256 == sha256)
        with reading(self._engine) as connection:
            return [FileRecord(**row._mapping) for row in connection.execute(query)]

    def path(self, record: FileRecord) -> Path:
        """Return a file with an upload's content."""
        return self._objects.file(self._place(record))

    def delete(self, file_id: str) -> None:
        """Delete an upload, and its content if no other has the same. Raises NotFound."""
        record = self.get(file_id)
        with writing(self._engine) as connection:
            connection.execute(sa.delete(files).where(files.c.id == file_id))
        self.drop([record])

    def release(self, connection: sa.Connection, job_id: str) -> list[FileRecord]:
        """Delete the records of a job's files as part of a transaction; what they were is to be given to `drop`."""
        gone = sa.delete(files).where(files.c.job == job_id).returning(*files.c)
        return [FileRecord(**row._mapping) for row in connection.execute(gone)]

    def drop(self, records: Iterable[FileRecord]) -> None:
        """Delete the contents of records that are gone for good, but what others have too.

        A crash before that leaves content that nothing names.
        """
        with writing(self._engine) as connection:
            _lock(connection)
            for record in records:
                same = sa.select(sa.func.count()).select_from(files).where(files.c.sha256 == record.sha256)
                if connection.scalar(same) == 0:
                    self._objects.delete(self._place(record))

    def _place(self, record: FileRecord) -> Path:
        return self._root / record.sha256[:2] / record.sha256

    def drop_copies(self) -> None:
        """Delete the copies here of contents that no record names any more."""
        copies = list(self._root.glob("[0-9a-f][0-9a-f]/[0-9a-f]*"))
        with reading(self._engine) as connection:
            kept = set(connection.scalars(sa.select(files.c.sha256)))
        for copy in copies:
            if copy.name not in kept:
                self._objects.forget(copy)

    def drop_drafts(self) -> None:
        """Delete the drafts that a process has left behind; no other may be writing any."""
        for draft in self._root.glob(PATTERN):
            draft.unlink(missing_ok=True)


def new_id() -> str:
    """Return an id for an upload."""
    return f"file-{uuid.uuid4()}"


def _lock(connection: sa.Connection) -> None:
    """Keep others from adding or taking away content; on SQLite a writer is alone already."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE files IN SHARE ROW EXCLUSIVE MODE"))
