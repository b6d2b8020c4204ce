"""The journal of a shard: every call that was paid, written down before it counts.

One line a call: its length and CRC-32 in hexadecimal, then the call as a JSON array. JSON escapes
line breaks, so a newline always ends a record, and what follows a damaged one can still be read.
"""

import mmap
import os
import re
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self
from zlib import crc32

import orjson

from core.errors import SchemaMismatch
from core.result import Call
from store.files.atomic import storing, sync
from store.objects.disk import DISK
from store.objects.objects import Objects
from store.results.columns import well_formed
from store.results.parquet import place
from store.results.rows import call_of, call_row

HEADER_BYTES = 18

_HEADER: Final = re.compile(rb"[0-9a-f]{8} [0-9a-f]{8} ")
_NO_HEADER: Final = b"ffffffff ffffffff "


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

    def append(self, call: Call) -> None:
        """Write down one call, in one write; it survives the process, and after `sync` the machine."""
        line = render_call(call)
        with storing(self.path):
            if self._is_torn:
                self._cut_off()
            if self._is_torn:  # the next record must not follow half of one unseparated
                line = b"\n" + line
            try:
                written = os.write(self._descriptor, line)
                while written < len(line):
                    written += os.write(self._descriptor, line[written:])
            except OSError:
                self._cut_off()
                raise
        self._end = os.fstat(self._descriptor).st_size if self._is_torn else self._end + len(line)
        self._is_torn = False

    def _cut_off(self) -> None:
        """Cut off half a record, or take note that it is still there."""
        try:
            os.ftruncate(self._descriptor, self._end)
            self._is_torn = False
        except OSError:
            self._is_torn = True

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
    try:
        with objects.appended(path) as file:
            return parse_journal(file.read())
    except FileNotFoundError:
        return JournalRead([], 0)
    except SchemaMismatch as error:
        raise SchemaMismatch(f"{place(path)}: {error.message}") from None


def parse_journal(data: bytes) -> JournalRead:
    """Read the whole records of a journal's content."""
    *lines, tail = data.split(b"\n")
    payloads = [_payload(line) for line in lines]
    if not tail and payloads and payloads[-1] is None:
        payloads.pop()
    calls = [call_of(orjson.loads(payload)) for payload in payloads if payload is not None]
    return JournalRead(calls, len(payloads) - len(calls))


def count_records(path: Path, objects: Objects = DISK) -> int:
    """Count the records of a journal, damaged ones among them; one that does not exist has none."""
    try:
        with objects.appended(path) as file:
            return file.read().count(b"\n")
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
