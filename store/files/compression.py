"""Compressed files as the bytes that they hold: found by how they begin, read in steps, to a bound."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa

from core.errors import DatasetUnreadable
from store.files.bounds import Bounds

ENDINGS: Final = (".gz", ".gzip", ".bz2", ".xz", ".zst", ".zstd")
"""How the names of compressed files end, after the ending of what they hold."""

STEP_BYTES: Final = 1 << 18

XZ_MEMORY: Final = 128_000_000
"""What reading a file of xz may take, which the file itself says; `xz -9` says 65 MB."""


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


class _Xz(io.RawIOBase):
    """What a file of xz holds; `lzma.open` has no bound for the memory that this takes."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._begin()

    def _begin(self) -> None:
        self._part = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = b""
        while not piece and (packed := self._packed()) is not None:
            piece = self._part.decompress(packed, len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def _packed(self) -> bytes | None:
        """Return what the decompressor is given next, nothing while it has more to say; None at the file's end."""
        if not self._part.eof:
            packed = self._file.read(STEP_BYTES) if self._part.needs_input else b""
            if self._part.needs_input and not packed:
                raise EOFError("the end is missing")
            return packed
        packed = self._part.unused_data or self._file.read(STEP_BYTES)
        while packed and not packed.strip(b"\0"):  # between parts
            packed = self._file.read(STEP_BYTES)
        if not packed:
            return None
        self._begin()
        return packed.lstrip(b"\0")

    def close(self) -> None:
        self._file.close()
        super().close()


def _open_zstandard(path: Path) -> BinaryIO:
    stream: BinaryIO = pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
    return stream


COMPRESSIONS: Final = (
    Compression("gzip", b"\x1f\x8b", _open_gzip),
    Compression("bzip2", b"BZh", _open_bzip2),
    Compression("xz", b"\xfd7zXZ\x00", _Xz),  # type: ignore[arg-type]
    Compression("Zstandard", b"\x28\xb5\x2f\xfd", _open_zstandard),
)

OTHERS: Final[Mapping[bytes, str]] = {b"\x04\x22\x4d\x18": "LZ4", b"7z\xbc\xaf\x27\x1c": "7z"}


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
        except (EOFError, OSError, ValueError, lzma.LZMAError, zlib.error) as error:
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
