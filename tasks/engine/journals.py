"""The journals that a job's engine has open, which are synced once a second."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import StorageFailed
from core.job import Stage
from core.plan import Shard
from core.result import Call
from store.results.journals import AnyJournal, Journals


class OpenJournals:
    """The open journals of a job, and the calls that could not be written down in them."""

    def __init__(self, journals: Journals) -> None:
        """Begin with none of the `journals`."""
        self._journals = journals
        self._open: set[AnyJournal] = set()
        self._lock = threading.Lock()
        self.unrecorded: defaultdict[tuple[Stage, Shard], list[Call]] = defaultdict(list)
        """Calls that were paid and are not in a journal: they are kept for the next attempt at their shard."""

    @contextmanager
    def opened(self, stage: Stage, shard: Shard) -> Iterator[AnyJournal]:
        """Open a shard's journal, synced once a second while it is open.

        Raises StorageFailed if calls could not be written down in the end: they are `unrecorded`.
        """
        journal = self._journals.open(stage, shard)
        with self._lock:
            self._open.add(journal)
        try:
            yield journal
        finally:
            with self._lock:
                self._open.discard(journal)
                try:
                    journal.close()
                except StorageFailed:
                    self.unrecorded[stage, shard] += journal.unkept()
                    raise

    def sync_soon(self) -> None:
        """Have the disk hold all that was appended; none is closed meanwhile."""
        with self._lock:
            for journal in self._open:
                journal.sync_soon()
