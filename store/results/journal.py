"""The journal of a shard: every call that was paid, written down before it counts.

One line a call: its length and CRC-32 in hexadecimal, then the call as a JSON array. JSON escapes
line breaks, so a newline always ends a record, and what follows a damaged one can still be read.
"""

import mmap
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from functools import partial
from io import BytesIO
from itertools import accumulate, pairwise
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self
from zlib import crc32

import orjson

from core.errors import SchemaMismatch, StorageFailed
from core.result import Call
from store.files.atomic import storing, sync
from store.objects.disk import DISK
from store.objects.objects import Objects
from store.results.columns import well_formed
from store.results.parquet import place as called
from store.results.rows import call_of, call_row

HEADER_BYTES = 18
READ_BYTES: Final = 1 << 20

_HEADER: Final = re.compile(rb"[0-9a-f]{8} [0-9a-f]{8} ")
_NO_HEADER: Final = b"ffffffff ffffffff "


class Place(NamedTuple):
    """Where a record stands in a journal: from a byte up to another."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.stop - self.start


class JournalRead(NamedTuple):
    """The calls of a journal in the order of writing, and how many records in its midst were damaged."""

    calls: list[Call]
    damaged: int


class Journal:
    """A journal open for appending, by one writer at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create the journal, and cut off a last record that was not written whole."""
        self.path = path
        self._is_torn = False
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            size = os.fstat(self._descriptor).st_size
            self._end = _intact(self._descriptor, size)
            self._synced = self._end if self._end == size else -1
            if self._end < size:
                os.ftruncate(self._descriptor, self._end)
            sync(path.parent)

    @classmethod
    def unnamed(cls, path: Path, begun: Iterable[bytes] = ()) -> "Journal":
        """Open a journal beside `path` of which nothing is left once it is closed; it begins with some lines."""
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        with storing(path):
            draft.parent.mkdir(parents=True, exist_ok=True)
            draft.touch(mode=0o600, exist_ok=False)
            with draft.open("ab") as file:
                file.writelines(begun)
        journal = cls(draft)
        with storing(path):
            draft.unlink()
        return journal

    def append(self, *calls: Call) -> list[Place]:
        """Write down calls, in one write, and return where they stand.

        They survive the process, and after `sync` the machine. Of those of a write that fails none is recorded.
        """
        lines = [render_call(call) for call in calls]
        data = b"".join(lines)
        with storing(self.path):
            if self._is_torn:
                self._cut_off()
            if self._is_torn:  # the next record must not follow half of one unseparated
                data = b"\n" + data
            try:
                written = os.write(self._descriptor, data)
                while written < len(data):
                    written += os.write(self._descriptor, data[written:])
            except OSError:
                self._cut_off()
                raise
        self._end = os.fstat(self._descriptor).st_size if self._is_torn else self._end + len(data)
        self._is_torn = False
        return _places(lines, self._end - sum(map(len, lines)))

    def read(self, place: Place) -> Call:
        """Return the call that was written down in a place; raises StorageFailed if it is not there as it was."""
        with storing(self.path):
            line = os.pread(self._descriptor, place.size, place.start)
        payload = _payload(line[:-1])
        if payload is None:
            raise StorageFailed(f"a record of {called(self.path)} is not as it was written: see that the disk is sound")
        return call_of(orjson.loads(payload))

    def _cut_off(self) -> None:
        """Cut off half a record, or take note that it is still there."""
        try:
            os.ftruncate(self._descriptor, self._end)
            self._is_torn = False
        except OSError:
            self._is_torn = True

    def recorded(self) -> Iterator[tuple[Place, Call | None]]:
        """Yield what is in it, as the function of this name does."""
        with storing(self.path), open(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            yield from _records(file)

    def sync(self) -> None:
        """Wait until the disk holds all that was appended."""
        end = self._end
        if self._synced != end:
            with storing(self.path):
                os.fsync(self._descriptor)
            self._synced = end

    sync_soon = sync

    def unkept(self) -> list[Call]:
        """Return the calls that were appended and not written, of which there are none."""
        return []

    def close(self) -> None:
        """Sync and close."""
        try:
            self.sync()
        finally:
            # A late append must fail, and not write where the number was given to another file.
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_journal(path: Path, objects: Objects = DISK) -> JournalRead:
    """Read the whole records of a journal; one that does not exist is empty.

    A last record that was not written whole is dropped. Any other damaged record is skipped and
    counted: its call is paid again rather than trusted. The same call may stand more than once.
    A record's version is told by its length: it has the columns of calls of the release that wrote it.
    Raises SchemaMismatch if that was a newer one.
    """
    calls, damaged = [], 0
    for _, call in recorded(path, objects):
        if call is None:
            damaged += 1
        else:
            calls.append(call)
    return JournalRead(calls, damaged)


def recorded(path: Path, objects: Objects = DISK) -> Iterator[tuple[Place, Call | None]]:
    """Yield the places of the records of a journal, and the calls, None where damaged, as `read_journal` reads it."""
    try:
        with objects.appended(path) as file:
            yield from _records(file)
    except FileNotFoundError:
        return
    except SchemaMismatch as error:
        raise SchemaMismatch(f"{called(path)}: {error.message}") from None


def parse_journal(data: bytes) -> JournalRead:
    """Read the whole records of a journal's content."""
    read = [call for _, call in _records(BytesIO(data))]
    calls = [call for call in read if call is not None]
    return JournalRead(calls, len(read) - len(calls))


def count_records(path: Path, objects: Objects = DISK) -> int:
    """Count the records of a journal, damaged ones among them; one that does not exist has none."""
    try:
        with objects.appended(path) as file:
            return sum(part.count(b"\n") for part in iter(partial(file.read, READ_BYTES), b""))
    except FileNotFoundError:
        return 0


def damage(data: bytes, *, may_be_torn: bool) -> str | None:
    """Return what is wrong first with a journal's content; None if nothing is, besides a torn end that `may_be`."""
    *lines, tail = data.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if _payload(line) is None:
            return f"record {number} is damaged"
    if tail and not (may_be_torn and _is_torn(tail)):
        return f"record {len(lines) + 1} is {'damaged' if may_be_torn else 'torn'}"
    return None


def render_call(call: Call) -> bytes:
    """Return the record of a call, its newline included."""
    row = call_row(call)
    try:
        payload = orjson.dumps(row)
    except orjson.JSONEncodeError:
        payload = orjson.dumps([well_formed(value) for value in row])
    return b"%08x %08x %b\n" % (len(payload), crc32(payload), payload)


def _records(lines: Iterable[bytes]) -> Iterator[tuple[Place, Call | None]]:
    """Yield what stands in the lines of a journal, besides a damaged end."""
    stop = 0
    damaged: Place | None = None
    for line in lines:
        where = Place(stop, stop := stop + len(line))
        if damaged:
            yield damaged, None
        if not line.endswith(b"\n"):
            return
        payload = _payload(line[:-1])
        damaged = where if payload is None else None
        if payload is not None:
            yield where, call_of(orjson.loads(payload))


def _places(lines: Iterable[bytes], start: int) -> list[Place]:
    """Return where lines stand of which the first begins at `start`."""
    ends = list(accumulate(map(len, lines), initial=start))
    return [Place(*span) for span in pairwise(ends)]


def _payload(line: bytes) -> bytes | None:
    payload = line[HEADER_BYTES:]
    return payload if line[:HEADER_BYTES] == b"%08x %08x " % (len(payload), crc32(payload)) else None


def _is_torn(tail: bytes) -> bool:
    """Tell whether `tail` can be the beginning of a record, or all of it but the newline."""
    if len(tail) < HEADER_BYTES:
        tail += _NO_HEADER[len(tail) :]
    header, missing = tail[:HEADER_BYTES], HEADER_BYTES - len(tail)
    if not _HEADER.fullmatch(header):
        return False
    missing += int(header[:8], 16)
    return missing > 0 or (missing == 0 and _payload(tail) is not None)


def _intact(descriptor: int, size: int) -> int:
    """Return where the last whole record ends, if at most the last is not whole."""
    if not size:
        return 0
    with mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) as data:
        start = data.rfind(b"\n", 0, size - 1) + 1
        last = data[start:size]
    return size if last.endswith(b"\n") and _payload(last[:-1]) is not None else start
