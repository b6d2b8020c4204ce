"""The journal of a shard where files cannot be added to: calls are written down many at a time."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from core.result import Call
from store.objects.objects import Objects, Segments
from store.results.journal import Journal, Place, parse_journal, render_call


class SegmentedJournal:
    """Writes calls down as `Journal` does, within a second: what is appended survives this process only once synced.

    What it holds is read back from a copy on the disk of the home, of which nothing is left once it is closed.
    """

    def __init__(self, segments: Segments, path: Path, objects: Objects) -> None:
        """Open the journal at `path`, with what was written down before."""
        self._segments = segments
        before: list[bytes] = []
        with suppress(FileNotFoundError), objects.appended(path) as file:
            before = file.readlines()
        self._copy = Journal.unnamed(path, before)

    def append(self, *calls: Call) -> list[Place]:
        """Take calls to be written down, and return where they stand.

        Raises StorageFailed if too many wait for that already; those before the one that did not fit may be kept.
        """
        for call in calls:
            self._segments.append(render_call(call))
        return self._copy.append(*calls)

    def read(self, place: Place) -> Call:
        """Return the call in a place, as `Journal` does."""
        return self._copy.read(place)

    def recorded(self) -> Iterator[tuple[Place, Call | None]]:
        """Yield what is in it, as `Journal` does."""
        return self._copy.recorded()

    def sync_soon(self) -> None:
        """Have all calls written down that were appended."""
        self._segments.sync_soon()

    def sync(self) -> None:
        """Write down all calls that were appended. Raises StorageFailed; they are kept for the next time."""
        self._segments.sync()

    def unkept(self) -> list[Call]:
        """Return the calls that were appended and not written."""
        return parse_journal(self._segments.unkept()).calls

    def close(self) -> None:
        """Sync, and close the copy."""
        try:
            self.sync()
        finally:
            self._copy.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
