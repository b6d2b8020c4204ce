"""From uploads to what the native API shows of them."""

from datetime import UTC

from api.native.schema import files as wire
from store.files.contents import FileRecord


def to_file(record: FileRecord) -> wire.File:
    """Return an upload."""
    same = {name: getattr(record, name) for name in ("id", "filename", "bytes", "line_count", "sha256")}
    return wire.File(**same, created_at=record.created_at.replace(tzinfo=UTC))
