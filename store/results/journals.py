"""The journals of a job's folder: one for each stage of a shard that is not finished."""

from collections.abc import Callable, Iterator
from pathlib import Path

from core.job import Stage
from core.plan import Shard
from core.result import Call
from store.objects.objects import Objects, nobody_kept_out
from store.results.journal import Journal, JournalRead, Place, count_records, damage, read_journal, recorded
from store.results.segments import SegmentedJournal

AnyJournal = Journal | SegmentedJournal


class Journals:
    """Opens and reads the journals, which go once the stages of their shards are finished."""

    def __init__(self, folder: Path, objects: Objects) -> None:
        """Name the folder that they lie in, which is made with the first."""
        self._folder = folder
        self._objects = objects
        self._fence: Callable[[], bool] = nobody_kept_out

    def fence_off(self, fence: Callable[[], bool]) -> None:
        """Have `fence` asked before calls are kept from now on where others may have taken the shard's journal over.

        A file is nobody else's while it is open, and is written to in any case: the folder is locked.
        """
        self._fence = fence

    def path(self, stage: Stage, shard: Shard) -> Path:
        """Return where the calls of an unfinished shard are written down."""
        return self._folder / f"{stage}-{shard.index:05}.journal"

    def paths(self) -> list[Path]:
        """Return the journals that are there."""
        return [self._folder / name for name in self._objects.names(self._folder) if name.endswith(".journal")]

    def open(self, stage: Stage, shard: Shard) -> AnyJournal:
        """Open the journal of an unfinished shard for writing calls down."""
        path = self.path(stage, shard)
        segments = self._objects.segments(path, self._fence)
        return Journal(path) if segments is None else SegmentedJournal(segments, path, self._objects)

    def open_aside(self, stage: Stage, shard: Shard) -> Journal:
        """Open a journal of calls that are not paid for, of which nothing is left once it is closed."""
        return Journal.unnamed(self.path(stage, shard))

    def exists(self, stage: Stage, shard: Shard) -> bool:
        """Whether calls of a shard's stage were written down."""
        path = self.path(stage, shard)
        return self._objects.exists(path) or bool(self._objects.names(path))

    def delete(self, stage: Stage, shard: Shard) -> None:
        """Delete the journal of a shard's stage, if there is one."""
        self._objects.delete(self.path(stage, shard))

    def recorded(self, path: Path) -> Iterator[tuple[Place, Call | None]]:
        """Yield what a journal holds, as the function of this name does."""
        return recorded(path, self._objects)

    def read(self, path: Path) -> JournalRead:
        """Return what a journal holds, as `read_journal` does."""
        return read_journal(path, self._objects)

    def count(self, path: Path) -> int:
        """Count the records of a journal, as `count_records` does."""
        return count_records(path, self._objects)

    def damage(self, path: Path) -> str | None:
        """Return what is wrong first with a journal, besides an end that is torn."""
        try:
            with self._objects.appended(path) as file:
                return damage(file.read(), may_be_torn=True)
        except FileNotFoundError:
            return None  # its shard was finished just now
