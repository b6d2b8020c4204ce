"""A person's query over the views while the service runs: in a process of its own, which is ended at its bounds."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import BoundedSemaphore, Timer
from typing import Any, Final, Literal, NamedTuple

from core.errors import Conflict, InvalidInput
from store.results.answering import REFUSED

SECONDS: Final = 20.0
"""A query that takes longer is ended."""

MOST_ROWS: Final = 1_000_000
"""Of an answer as a file."""

PART: Final = 65_536

Form = Literal["json", "csv", "parquet"]

_turns = BoundedSemaphore(2)


class Page(NamedTuple):
    """The beginning of an answer, its values as in JSON; `is_cut` if it goes on."""

    columns: list[str]
    rows: list[list[Any]]
    is_cut: bool


def ask(results: Path, sql: str, *, rows: int) -> Page:
    """Answer a query with its first rows.

    Raises InvalidInput, saying what is wrong with it or which bound it met, and Conflict while others are answered.
    """
    columns, found = json.loads(b"".join(parts(results, sql, "json", rows=rows + 1)))
    return Page(columns, found[:rows], len(found) > rows)


def parts(results: Path, sql: str, form: Form, *, rows: int = MOST_ROWS) -> Iterator[bytes]:
    """Yield an answer as a file while it is made. Raises as `ask` does."""
    with _process(results, form, rows) as (process, timer):
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
            raise InvalidInput(said if code == REFUSED else _ended(timer))


def _ended(timer: Timer) -> str:
    if timer.finished.is_set():
        return f"the query took more than {SECONDS:g} s, and was ended; narrow it"
    return "the query took more memory than it may have, and was ended; narrow it"


@contextmanager
def _process(results: Path, form: Form, rows: int) -> Iterator[tuple["subprocess.Popen[bytes]", Timer]]:
    if not _turns.acquire(timeout=SECONDS):
        raise Conflict("two queries are being answered already; ask again in a moment")
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "store.results.answering", str(results.absolute()), form, str(rows)],
            env={"ARROW_DEFAULT_MEMORY_POOL": "system"},
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        timer = Timer(SECONDS, process.kill)
        timer.start()
        with process:
            try:
                yield process, timer
            finally:
                timer.cancel()
                process.kill()
    finally:
        _turns.release()
