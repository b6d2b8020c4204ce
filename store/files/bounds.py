"""How much of a user's file is held in memory at a time, and how much is read in all."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import DatasetUnreadable

MAX_COLUMNS: Final = 10_000
MAX_VALUES: Final = 1_000_000
"""Values within one row; each takes up to 200 bytes in memory, however few it has in the file."""

MAX_DEPTH: Final = 200
"""Levels of a value; rows are kept by a serializer that goes to 254."""

FAIR_GROWTH: Final = 20
"""A file that decodes to no more than so many times its own size is no bomb, however large it is."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bytes of a row, of a file once it is decompressed or decoded, and of what has to be held as a whole.

    That is a document of JSON with the rows somewhere inside, and of a column of Parquet what a single row needs.
    """

    row: int = 32_000_000
    decoded: int = 1_000_000_000
    held: int = 64_000_000

    def refuse_row(self, place: str, size: int) -> None:
        """Raise DatasetUnreadable if a row at `place` is so long that it would be too much to hold."""
        if size > self.row:
            raise DatasetUnreadable(
                f"{place} is longer than {self.row:,} bytes: shorten it, or set ASSAY_MAX_ROW to the bytes it may have"
            )

    def refuse_growth(self, named: str, path: Path, decoded: int) -> None:
        """Raise DatasetUnreadable if a file has decoded to more than it may."""
        if decoded > self.decoded and decoded > FAIR_GROWTH * path.stat().st_size:
            raise DatasetUnreadable(
                f"{named} decodes to more than {self.decoded:,} bytes, from {path.stat().st_size:,}: "
                f"give it as several files, or set ASSAY_MAX_DECODED to the bytes it may have"
            )
