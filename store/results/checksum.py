"""A checksum over a whole Parquet file, within it.

Parquet's own checksums cover pages alone, not what describes them. A reader finds the pages by their place and the
footer from the end, so that between the two there is room for a checksum that no reader sees.
"""

import os
from functools import partial
from typing import IO, Any, Final
from zlib import crc32

MARK: Final = b"assay.crc32="
CHECKSUM_BYTES: Final = len(MARK) + 8
END_BYTES: Final = 8
"""The length of the footer, and Parquet's magic."""

READ_BYTES: Final = 1 << 20


class Sealed:
    """A file to which Parquet is written in parts; `seal` adds the checksum once all is there."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        """Begin at the start of a file that is open for both reading and writing."""
        self._file = file
        self._crc = 0
        self._is_given_up = False

    def write(self, data: Any) -> int:
        """Write what comes next."""
        part = memoryview(data)
        if not self._is_given_up:
            self._file.write(part)
            self._crc = crc32(part, self._crc)
        return len(part)

    def tell(self) -> int:
        """Return how much was written."""
        return self._file.tell()

    def flush(self) -> None:
        """Nothing is held back here."""

    def give_up(self) -> None:
        """Let what is still written go nowhere."""
        self._is_given_up = True

    def seal(self) -> None:
        """Put the checksum between the pages and the footer."""
        start = _footer_start(self._file)
        self._file.seek(start)
        footer = self._file.read()
        self._file.seek(start)
        self._file.write(_mark(self._crc) + footer)
        self._file.flush()


def is_intact(file: IO[bytes]) -> bool:
    """Whether a file is as it was written: a change of up to four bytes in a row never goes unseen."""
    left = _footer_start(file) - CHECKSUM_BYTES
    if left < 0:
        return False
    file.seek(0)
    crc = 0
    while left and (part := file.read(min(left, READ_BYTES))):
        crc = crc32(part, crc)
        left -= len(part)
    mark = file.read(CHECKSUM_BYTES)
    for part in iter(partial(file.read, READ_BYTES), b""):
        crc = crc32(part, crc)
    return mark == _mark(crc)


def _footer_start(file: IO[bytes]) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - END_BYTES))
    return size - END_BYTES - int.from_bytes(file.read(END_BYTES // 2), "little")


def _mark(crc: int) -> bytes:
    return MARK + b"%08x" % crc
