"""The journal of a shard where files cannot be added to: calls are written down many at a time."""

from types import TracebackType
from typing import Self

from core.result import Call
from store.objects.objects import Segments
from store.results.journal import parse_journal, render_call


class SegmentedJournal:
    """Writes calls down as `Journal` does, within a second: what is appended survives this process only once synced."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments

    def append(self, call: Call) -> None:
        """Take a call to be written down. Raises StorageFailed if too many wait for that already."""
        self._segments.append(render_call(call))

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
        """Sync."""
        self.sync()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
