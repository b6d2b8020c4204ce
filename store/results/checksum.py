"""A checksum over a whole Parquet file, within it.

Parquet's own checksums cover pages alone, not what describes them. A reader finds the pages by their place and the
footer from the end, so that between the two there is room for a checksum that no reader sees.
"""

from typing import Final
from zlib import crc32

MARK: Final = b"assay.crc32="
CHECKSUM_BYTES: Final = len(MARK) + 8
END_BYTES: Final = 8
"""The length of the footer, and Parquet's magic."""


def with_checksum(data: bytes) -> bytes:
    """Return a Parquet file with its checksum."""
    start = _footer_start(data)
    return data[:start] + _checksum(data[:start], data[start:]) + data[start:]


def is_intact(data: bytes) -> bool:
    """Whether a file is as it was written: a change of up to four bytes in a row never goes unseen."""
    end = _footer_start(data)
    start = end - CHECKSUM_BYTES
    return start >= 0 and data[start:end] == _checksum(data[:start], data[end:])


def _footer_start(data: bytes) -> int:
    return len(data) - END_BYTES - int.from_bytes(data[-END_BYTES : -END_BYTES // 2], "little")


def _checksum(pages: bytes, footer: bytes) -> bytes:
    return MARK + b"%08x" % crc32(footer, crc32(pages))
