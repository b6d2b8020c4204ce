"""Files on their way in: written piece by piece and measured, then kept or dropped."""

import hashlib
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from core.errors import SpecInvalid
from store.files.atomic import storing

PATTERN: Final = ".*.tmp"
"""What the names of drafts match, and no other file's."""


@dataclass(frozen=True, slots=True)
class Content:
    """The measures of a file. A last line without a line break counts as a line."""

    bytes: int
    line_count: int
    sha256: str

    def check(self, announced: str | None) -> None:
        """Raise SpecInvalid if another sha256 was announced."""
        if announced not in (None, self.sha256):
            message = f"what came has the sha256 {self.sha256}, announced was {announced}; send the file again"
            raise SpecInvalid(message, field="checksum")


class Draft:
    """A new file in `folder`, which goes at the end of the context unless it was moved elsewhere.

    Each method raises StorageFull if the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / f".{uuid.uuid4().hex}.tmp"
        self._digest = hashlib.sha256()
        self._bytes = self._breaks = 0
        self._last = b"\n"
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = open(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb")  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def write(self, chunk: bytes) -> None:
        """Append a piece of any length."""
        with storing(self.path.parent):
            self._file.write(chunk)
        self._digest.update(chunk)
        self._bytes += len(chunk)
        self._breaks += chunk.count(b"\n")
        self._last = chunk[-1:] or self._last

    def finish(self) -> Content:
        """Wait until the disk holds what was written, and return its measures."""
        with storing(self.path.parent):
            self._file.flush()
            os.fsync(self._file.fileno())
        return Content(self._bytes, self._breaks + (self._last != b"\n"), self._digest.hexdigest())

    def discard(self) -> None:
        """Close the file, and delete it unless it was moved."""
        try:
            with storing(self.path.parent):
                self._file.close()
        finally:
            self.path.unlink(missing_ok=True)
