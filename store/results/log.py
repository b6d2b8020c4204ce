"""A job's log: JSON lines in its folder; what is written is free of keys already."""

import errno
import logging
import os
import threading
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import orjson

from core.errors import InvalidInput, StorageFailed
from core.job import utcnow
from core.text import json_line
from store.objects.disk import DISK
from store.objects.objects import Objects, Segments

logger = logging.getLogger("assay.results")

Level = Literal["INFO", "WARNING", "ERROR"]


class LogLine(NamedTuple):
    """One line: `time` is naive UTC, `step` the stage it comes from."""

    time: datetime
    level: Level
    step: str
    message: str


class LogPage(NamedTuple):
    """Some lines of a log, where the next page starts (None: there is no more yet), and how many lines there are.

    At `end` the page after this one will start, once there is more.
    """

    lines: list[LogLine]
    next_start: int | None
    total: int
    end: int


def read_log(path: Path, objects: Objects = DISK, *, start: int = 0, limit: int | None = None) -> LogPage:
    """Read up to `limit` lines from the byte offset `start`; a log that does not exist is empty.

    A line that is still being written is left out, and so is one that a full disk has cut short.
    Raises InvalidInput if no line starts there.
    """
    try:
        with objects.appended(path) as file:
            total = sum(line.endswith(b"\n") for line in file)
            if not 0 <= start <= file.tell():
                raise InvalidInput("Invalid page cursor")
            file.seek(max(start - 1, 0))
            if start and file.read(1) != b"\n":
                raise InvalidInput("Invalid page cursor")
            whole = [line for line in islice(file, limit) if line.endswith(b"\n")]
            end = start + sum(map(len, whole))
            follows = file.readline().endswith(b"\n") if whole else False
            lines = [line for text in whole if (line := _line(text)) is not None]
            return LogPage(lines, end if follows else None, total, end)
    except FileNotFoundError:
        if start:
            raise InvalidInput("Invalid page cursor") from None
        return LogPage([], None, 0, 0)


def _line(text: bytes) -> LogLine | None:
    try:
        line = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return LogLine(datetime.fromisoformat(line["time"]), line["level"], line["step"], line["message"])


class JobLog:
    """Appends to `log.jsonl`, a file or its segments; byte offsets into it are stable cursors."""

    def __init__(self, path: Path, segments: Segments | None = None) -> None:
        """Name the file; it is made with its first line."""
        self._path = path
        self._segments = segments
        self._fd = -1
        self._torn = False
        self._lock = threading.Lock()
        self.lost = 0

    def write(self, message: str, *, level: Level = "INFO", step: str = "evaluation") -> None:
        """Append one line; `step` is the stage it comes from.

        A line that cannot be written is counted as `lost`, which the first time is said on stderr: for want of a log
        nothing fails.
        """
        line = json_line(orjson.dumps({"time": utcnow(), "level": level, "step": step, "message": message}))
        with self._lock:
            try:
                self._segments.append(line) if self._segments else self._append(line)
            except (OSError, StorageFailed) as error:
                self.lost += 1
                if self.lost == 1:
                    logger.warning("Lines of %s are lost: %s", self._path, error)

    def _append(self, line: bytes) -> None:
        if self._fd < 0:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            size = os.fstat(self._fd).st_size
            self._torn = size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"
        if self._torn:
            line = b"\n" + line
        written = os.write(self._fd, line)
        self._torn = written < len(line)
        if self._torn:
            raise OSError(errno.ENOSPC, f"{written} of {len(line)} bytes were written")

    def sync_soon(self) -> None:
        """Have the lines kept that are held back where a file cannot be added to."""
        if self._segments:
            self._segments.sync_soon()

    def close(self) -> None:
        """Close the file. Lines that cannot be kept by then are lost."""
        with suppress(StorageFailed):
            if self._segments:
                self._segments.sync()
        with self._lock:
            descriptor, self._fd = self._fd, -1
            if descriptor >= 0:
                os.close(descriptor)
