"""How a worker is told that there is work, and how others learn its name and that it was told to stop."""

import errno
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


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


def make_pipe(home: Path) -> Path:
    """Return the pipe over which workers of `home` are woken, made if it is not there."""
    pipe = home / "run" / "wake"
    pipe.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.mkfifo(pipe, 0o600)
    return pipe


def wake(home: Path) -> None:
    """Tell a worker of `home` that there is work; one that does not listen will poll."""
    with _open_pipe(home) as pipe:
        if pipe is not None:
            with suppress(BlockingIOError, BrokenPipeError):  # told often enough, or gone since
                os.write(pipe, b"\n")


def has_listener(home: Path) -> bool:
    """Whether a worker of `home` listens for wake-ups."""
    with _open_pipe(home) as pipe:
        return pipe is not None


@contextmanager
def _open_pipe(home: Path) -> Iterator[int | None]:
    """Open the pipe for writing; None if nobody listens."""
    try:
        pipe = os.open(make_pipe(home), os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        yield None
        return
    try:
        yield pipe
    finally:
        os.close(pipe)
