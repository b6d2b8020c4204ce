"""The calls of a shard once they are made: the calls themselves are on disk, and only where they stand is in memory."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from core.job import Stage
from core.plan import Shard
from core.result import Call, CallKey, CallOutcome
from store.results.columns import GROUP_BYTES
from store.results.folder import JobFolder
from store.results.journal import Place
from store.results.journals import AnyJournal


class _Written(NamedTuple):
    """Where a call is written down."""

    journal: AnyJournal
    place: Place


class Paid:
    """The finished calls that a shard wants, in that order; those that could not be asked at all are among them."""

    def __init__(self, journal: Callable[[], AnyJournal], aside: Callable[[], AnyJournal]) -> None:
        """Begin with none; the journals, of calls that are paid for and of others, are opened when they are written."""
        self._open_journal, self._open_aside = journal, aside
        self._journal: AnyJournal | None = None
        self._aside: AnyJournal | None = None
        self._wanted: defaultdict[int, list[CallKey]] = defaultdict(list)
        self._unasked: dict[CallKey, Call] = {}
        self._written: dict[CallKey, _Written] = {}
        self.outcomes = Counter[CallOutcome]()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._unasked) + len(self._written)

    def want(self, key: CallKey) -> None:
        """Take note of a call's place in the order."""
        self._wanted[key.sample].append(key)

    def add_unasked(self, call: Call) -> None:
        """Take a call that could not be asked."""
        self._unasked[call.key] = call
        self.outcomes[call.outcome] += 1

    def add_recorded(self, key: CallKey, outcome: CallOutcome, place: Place) -> None:
        """Take a call that stands in the journal already."""
        self._written[key] = _Written(self.journal, place)
        self.outcomes[outcome] += 1

    def record(self, *calls: Call) -> None:
        """Write calls down in the journal, so that they are never paid again. Raises StorageFailed."""
        self._write(self.journal, calls)

    def set_aside(self, *calls: Call) -> None:
        """Keep calls that a later attempt makes again. Raises StorageFailed."""
        if calls:
            self._aside = self._aside or self._open_aside()
            self._write(self._aside, calls)

    def open(self) -> None:
        """Open the journal now, which takes a while, so that nobody has to on the loop. Raises StorageFailed."""
        _ = self.journal

    def sync(self) -> None:
        """Wait until what is paid for is kept, whatever may come. Raises StorageFailed."""
        if self._journal:
            self._journal.sync()

    def unpublished(self, shard: Shard) -> Iterator[Call]:
        """Yield the calls that are to be published, which are all."""
        return self.calls(shard)

    def calls(self, part: Shard) -> Iterator[Call]:
        """Yield the calls of a part of the shard by their samples, one at a time."""
        for sample in part.samples:
            for key in self._wanted.get(sample, ()):
                written = self._written.get(key)
                yield written.journal.read(written.place) if written else self._unasked[key]

    def parts(self, parts: Iterable[Shard]) -> Iterator[Shard]:
        """Yield parts that are small enough to be held together with their calls."""
        for part in parts:
            start, size = part.start, 0
            for sample in part.samples:
                taken = sum(
                    self._written[key].place.size for key in self._wanted.get(sample, ()) if key in self._written
                )
                if size and size + taken > GROUP_BYTES:
                    yield part.model_copy(update={"start": start, "stop": sample})
                    start, size = sample, 0
                size += taken
            yield part.model_copy(update={"start": start})

    @property
    def journal(self) -> AnyJournal:
        """The journal of what is paid for."""
        self._journal = self._journal or self._open_journal()
        return self._journal

    def _write(self, journal: AnyJournal, calls: Iterable[Call]) -> None:
        calls = tuple(calls)
        for call, place in zip(calls, journal.append(*calls), strict=True):
            self._written[call.key] = _Written(journal, place)
            self.outcomes[call.outcome] += 1


class Published:
    """The calls of a shard whose result file is there, of which an engine has published no more."""

    def __init__(self, folder: JobFolder, stage: Stage, shard: Shard) -> None:
        """Count them."""
        self._folder, self._stage = folder, stage
        self.outcomes = Counter(call.outcome for part in folder.parts(shard) for call in self.calls(part))

    def unpublished(self, _shard: Shard) -> None:
        """Return None: none is to be published."""

    def calls(self, part: Shard) -> Iterator[Call]:
        """Yield the calls of a part of the shard."""
        yield from self._folder.read_calls(self._stage, part)

    def parts(self, parts: Iterable[Shard]) -> Iterator[Shard]:
        """Yield parts that are small enough to be held together with their calls."""
        yield from parts
