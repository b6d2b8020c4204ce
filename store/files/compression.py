"""Compressed files as the bytes that they hold: found by how they begin, read in steps, to a bound."""

import bz2
import gzip
import io
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa

from core.errors import DatasetUnreadable
from store.files.bounds import Bounds

ENDINGS: Final = (".gz", ".gzip", ".bz2", ".zst", ".zstd")
"""How the names of compressed files end, after the ending of what they hold."""

STEP_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Compression:
    """A way of compressing: the bytes that begin such a file, and a stream over what it holds."""

    name: str
    magic: bytes
    open: Callable[[Path], BinaryIO]


def _open_gzip(path: Path) -> BinaryIO:
    return gzip.open(path)  # type: ignore[return-value]


def _open_bzip2(path: Path) -> BinaryIO:
    return bz2.open(path)  # type: ignore[return-value]


def _open_zstandard(path: Path) -> BinaryIO:
    stream: BinaryIO = pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
    return stream


COMPRESSIONS: Final = (
    Compression("gzip", b"\x1f\x8b", _open_gzip),
    Compression("bzip2", b"BZh", _open_bzip2),
    Compression("Zstandard", b"\x28\xb5\x2f\xfd", _open_zstandard),
)

OTHERS: Final[Mapping[bytes, str]] = {b"\xfd7zXZ\x00": "xz", b"\x04\x22\x4d\x18": "LZ4", b"7z\xbc\xaf\x27\x1c": "7z"}


def compression_of(path: Path) -> Compression | None:
    """Return how a file is compressed, by its first bytes."""
    with path.open("rb") as file:
        begin = file.read(8)
    return next((each for each in COMPRESSIONS if begin.startswith(each.magic)), None)


def open_decoded(path: Path, named: str, bounds: Bounds) -> BinaryIO:
    """Open a file for reading what it holds, decompressed; the file is called `named`.

    What is read of it raises DatasetUnreadable if the file is damaged, or decodes to more than it may.
    """
    compression = compression_of(path)
    if compression is None:
        return path.open("rb")
    return io.BufferedReader(_Decoded(path, named, bounds, compression), STEP_BYTES)


class _Decoded(io.RawIOBase):
    """The bytes that a compressed file holds, a step at a time."""

    def __init__(self, path: Path, named: str, bounds: Bounds, compression: Compression) -> None:
        self._stream = compression.open(path)
        self._path = path
        self._named = named
        self._bounds = bounds
        self._kind = compression.name
        self._total = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            piece = self._stream.read(min(len(buffer), STEP_BYTES))
        except (EOFError, OSError, ValueError, zlib.error) as error:
            raise DatasetUnreadable(
                f"{self._named} is damaged, or was cut short: {self._kind} says {str(error)!r}; compress it again"
            ) from error
        self._total += len(piece)
        self._bounds.refuse_growth(self._named, self._path, self._total)
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._stream.close()
        super().close()
