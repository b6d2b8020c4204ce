"""From the records of files and uploads to Together's files."""

from datetime import UTC, datetime

from api.together.schema import files as wire
from store.files.contents import FileRecord
from store.files.uploads import Upload


def to_file(record: FileRecord) -> wire.FileObject:
    """Return a file that is here."""
    return wire.FileObject(
        id=record.id,
        created_at=_seconds(record.created_at),
        purpose=record.purpose,
        filename=record.filename,
        bytes=record.bytes,
        line_count=record.line_count,
        processed=True,
        file_type=record.file_type,
    )


def to_awaited(upload: Upload) -> wire.FileObject:
    """Return a file that was announced."""
    return wire.FileObject(
        id=upload.file_id,
        created_at=_seconds(upload.created_at),
        purpose=upload.announced.purpose,
        filename=upload.announced.filename,
        bytes=0,
        line_count=0,
        processed=False,
        file_type=upload.announced.file_type,
    )


def to_parts(upload: Upload, url: str) -> wire.PartsAwaited:
    """Return where the parts of a file are put, below the upload's URL."""
    numbers = range(1, (upload.announced.parts or 0) + 1)
    return wire.PartsAwaited(
        upload_id=upload.file_id,
        file_id=upload.file_id,
        parts=[wire.PartURL(part_number=number, url=f"{url}/{number}") for number in numbers],
    )


def _seconds(time: datetime) -> int:
    return int(time.replace(tzinfo=UTC).timestamp())
