"""How workers are told that there is work, and how others learn their names and that they were told to stop.

Each worker listens at a pipe of its own, so that one without room takes no other's call from it.
"""

import errno
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4


def worker_name() -> str:
    """Return how this process is named in the reports of its engines."""
    return f"{platform.node()}:{os.getpid()}"


def note_stop(home: Path) -> None:
    """Leave word that this process was told to stop, so that its end is not taken for a crash."""
    _stop_file(home, worker_name()).touch()


def was_stopped(home: Path, worker: str) -> bool:
    """Whether a worker that is gone was told to stop."""
    return _stop_file(home, worker).exists()


def forget_stop(home: Path) -> None:
    """Take back the word of an earlier process of the same number."""
    file = _stop_file(home, worker_name())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)


def _stop_file(home: Path, worker: str) -> Path:
    return home / "run" / "stopped" / worker


@contextmanager
def listening(home: Path) -> Iterator[int]:
    """Listen for wake-ups of `home`; gives a descriptor that does not block."""
    pipe = _pipes(home) / f"{worker_name()}:{uuid4().hex[:8]}"
    hidden = pipe.with_name(f".{pipe.name}")
    pipe.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(hidden, 0o600)
    descriptor = os.open(hidden, os.O_RDWR | os.O_NONBLOCK)
    hidden.rename(pipe)  # only now: what is in sight and has no listener is left over
    try:
        yield descriptor
    finally:
        pipe.unlink(missing_ok=True)
        os.close(descriptor)


def wake(home: Path) -> None:
    """Tell the workers of `home` that there is work; one that does not listen will poll."""
    for pipe in _listened(home):
        with suppress(BlockingIOError, BrokenPipeError):  # told often enough, or gone since
            os.write(pipe, b"\n")


def listeners(home: Path) -> int:
    """Return how many workers of `home` listen on this machine."""
    return sum(1 for _ in _listened(home))


def _pipes(home: Path) -> Path:
    return home / "run" / "wakes"


def _listened(home: Path) -> Iterator[int]:
    """Open each pipe that somebody listens at, and clear away those of workers of this machine that have died."""
    for path in _pipes(home).glob("[!.]*"):
        try:
            pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if path.name.startswith(f"{platform.node()}:"):
                path.unlink(missing_ok=True)
            continue
        try:
            yield pipe
        finally:
            os.close(pipe)
