"""A person's query over the views while the service runs: in a process of its own, which is ended at its bounds."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import BoundedSemaphore, Event, Lock, Timer
from typing import Any, Final, Literal, NamedTuple

from core.errors import Conflict, InvalidInput
from store.results.answering import LONGEST, NO_MEMORY, REFUSED

logger = logging.getLogger("assay.sql")

SECONDS: Final = 20.0
"""A query that takes longer is ended."""

MOST_ROWS: Final = 1_000_000
"""Of an answer as a file."""

PART: Final = 65_536

OUT_OF_MEMORY: Final = ("bad_alloc", "cannot allocate memory for thread-local data")
"""What C++ and the C library say as they end a process that may have no more memory."""

WAITING: Final = 8
"""Queries that wait at a time: each holds one of the threads that answer all other requests too."""

BUSY: Final = "two queries are being answered already; ask again in a moment"

Form = Literal["json", "csv", "parquet"]

_turns = BoundedSemaphore(2)
_places = BoundedSemaphore(WAITING)


class Page(NamedTuple):
    """The beginning of an answer, its values as in JSON; `is_cut` if it goes on."""

    columns: list[str]
    rows: list[list[Any]]
    is_cut: bool


def ask(results: Path, sql: str, *, rows: int, store: str | None = None) -> Page:
    """Answer a query with at most so many of its first rows, whose values are cut where they are long.

    Raises InvalidInput, saying what is wrong with it or which bound it met, and Conflict while others are answered.
    """
    return Page(*json.loads(b"".join(parts(results, sql, "json", rows=rows, store=store))))


def parts(results: Path, sql: str, form: Form, *, rows: int = MOST_ROWS, store: str | None = None) -> Iterator[bytes]:
    """Yield an answer as a file while it is made. Raises as `ask` does."""
    with _process(results, form, rows, store) as (process, is_late):
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        with suppress(BrokenPipeError):
            process.stdin.write(sql.encode())
            process.stdin.close()
        while part := os.read(process.stdout.fileno(), PART):
            yield part
        said = process.stderr.read().decode(errors="replace")
        code = process.wait()
        if code:
            raise InvalidInput(said if code == REFUSED else why_ended(code, said, is_late=is_late()))


def why_ended(code: int, said: str, *, is_late: bool) -> str:
    """Say why a process ended before its answer: by a bound of its own, or by what nobody foresaw."""
    if is_late:
        return f"the query took more than {SECONDS:g} s, and was ended; narrow it"
    if code == NO_MEMORY or any(each in said for each in OUT_OF_MEMORY):
        return "the query took more memory than it may have, and was ended; narrow it"
    if code == -signal.SIGKILL:
        return "the query's process was killed from outside, as a system does that runs out of memory; ask again"
    logger.error("A query's process ended with %s: %s", code, said)
    how = signal.Signals(-code).name if -code in set(signal.Signals) else f"code {code}"
    last = said.strip().rpartition("\n")[2][:LONGEST]
    return f"the query's process ended with {how}, which nobody foresaw{f': {last}' if last else ''}"


@contextmanager
def _process(
    results: Path, form: Form, rows: int, store: str | None
) -> Iterator[tuple["subprocess.Popen[bytes]", Callable[[], bool]]]:
    with _turn() as give_back:
        process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "store.results.answering",
                str(results.absolute()),
                form,
                str(rows),
                *([store] if store else []),
            ],
            env={"ARROW_DEFAULT_MEMORY_POOL": "system", **(_of_store() if store else {})},
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

        late = Event()

        def end() -> None:
            late.set()
            process.kill()
            give_back()  # also where nobody reads the answer to its end

        timer = Timer(SECONDS, end)
        timer.start()
        with process:
            try:
                yield process, late.is_set
            finally:
                timer.cancel()
                process.kill()


def _of_store() -> dict[str, str]:
    """Return the variables that say where a bucket is and who may read it; SQL reads no variables."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


@contextmanager
def _turn() -> Iterator[Callable[[], None]]:
    """Wait for a turn, and give what gives it back before its end."""
    taken = Lock()
    if not _places.acquire(blocking=False):
        raise Conflict(BUSY)
    try:
        has_turn = _turns.acquire(timeout=SECONDS)
    finally:
        _places.release()
    if not has_turn:
        raise Conflict(BUSY)

    def give_back() -> None:
        if taken.acquire(blocking=False):
            _turns.release()

    try:
        yield give_back
    finally:
        give_back()
