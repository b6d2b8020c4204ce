"""A file that rows are read from, and what readers of every format ask of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Final

from core.errors import DatasetUnreadable
from core.spec import FileFormat
from store.files.bounds import Bounds
from store.files.compression import compression_of, open_decoded
from store.files.values import Findings
from tasks.datasets.encodings import first_fault, remedy_of

Row = dict[str, Any]

HEAD_BYTES: Final = 1 << 16
MAX_BLANK: Final = 100_000


@dataclass(frozen=True)
class DataFile:
    """A file, what errors call it, and the bounds within which it is read; `note` takes what the log should say."""

    path: Path
    named: str
    bounds: Bounds
    note: Callable[[str], None] = field(compare=False)
    findings: Findings = field(compare=False)

    def open(self) -> BinaryIO:
        """Open what the file holds, decompressed."""
        return open_decoded(self.path, self.named, self.bounds)

    @cached_property
    def head(self) -> bytes:
        """The first bytes of what the file holds, without a byte order mark of UTF-8."""
        with self.open() as stream:
            return stream.read(HEAD_BYTES).removeprefix(b"\xef\xbb\xbf")

    @property
    def is_compressed(self) -> bool:
        """Whether the file holds its content compressed."""
        return compression_of(self.path) is not None

    def at(self, place: str) -> str:
        """Return what errors call a place in the file, after remembering it for what is found there."""
        self.findings.place = place
        return f"{place} of {self.named}"

    def refuse_blank(self, lines: int) -> None:
        """Raise DatasetUnreadable if so many lines are blank that going through them is all that would be done."""
        if lines > MAX_BLANK:
            raise DatasetUnreadable(f"{self.named} has more than {MAX_BLANK:,} blank lines: leave them out")

    def refuse_encoding(self) -> DatasetUnreadable:
        """Return the error for text that is no UTF-8: where it is not, and what it seems to be in."""
        with self.open() as stream:
            fault = first_fault(stream)
        if fault is None:
            return DatasetUnreadable(f"{self.named} was changed while it was read: give it again")
        where = f"line {fault.line} of {self.named} is not UTF-8: byte {fault.place} of it is 0x{fault.byte:02X}"
        return DatasetUnreadable(f"{where}; {remedy_of(fault.around)}")


@dataclass(frozen=True)
class Format:
    """A format: how the names of its files end, whether what a file begins with is of it, and its reader.

    `fits` is also told the format that the user, or else the file's name, says.
    """

    name: FileFormat
    endings: tuple[str, ...]
    fits: Callable[[bytes, FileFormat | None], bool]
    rows: Callable[[DataFile], Iterator[Row]]
