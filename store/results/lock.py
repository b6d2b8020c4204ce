"""The locks of a job's folder, which say what engines work in it; the kernel lets go of a dead process's."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from core.errors import NotFound
from store.db.leases import lock_name
from store.files.atomic import storing
from store.results.parquet import place

BLOCK: Final = ".block-"
"""Begins the names of the locks on blocks."""

LOOKS: Final = 5
LOOK_S: Final = 0.02


class FolderLock:
    """Who works in a job's folder: one engine that holds it, others on blocks of its shards, or none."""

    def __init__(self, folder: Path, job_id: str) -> None:
        """Name the folder, which is made when it is first locked."""
        self._folder = folder
        self._job_id = job_id
        self._whole = folder / ".lock"
        self._joint = folder / ".blocks"

    @property
    def name(self) -> str | None:
        """What the lock is called by all processes that see it; None if there is none."""
        return lock_name(self._whole)

    def name_of(self, block: int) -> str | None:
        """Return what `name` is of the lock on a block."""
        return lock_name(self._of(block))

    @contextmanager
    def held(self, hold: str = "") -> Iterator[None]:
        """Hold the folder while an engine works in it; waits, blocking the thread, for another to let go.

        By the name of the `hold` engines in other processes know that they see the same folder. Raises NotFound if the
        folder was removed meanwhile.
        """
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _is_at(self._whole, descriptor):
                raise self._deleted()
            with suppress(OSError):  # on a full disk nobody else can tell by the name, and then does not join in
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, hold.encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def is_held(self, hold: str | None = None) -> bool:
        """Whether an engine holds the folder now, by that name if one is given."""
        if not _is_locked(self._whole, fcntl.LOCK_SH):
            return False
        with suppress(FileNotFoundError):
            return hold is None or self._whole.read_text(encoding="utf-8") == hold
        return False

    @contextmanager
    def vacant(self) -> Iterator[bool]:
        """Keep engines out of the folder for a moment; gives whether that was had: none holds it now.

        What is recorded meanwhile is known to every engine that comes after.
        """
        descriptor = self._open()
        try:
            is_vacant = _locks_at_once(descriptor, fcntl.LOCK_EX) and _is_at(self._whole, descriptor)
            yield is_vacant and not self.is_joined()
        finally:
            os.close(descriptor)

    @contextmanager
    def joined(self, block: int) -> Iterator[bool]:
        """Work on a block of shards, whether the folder is held or not; gives whether no other engine does.

        Raises NotFound if the folder was removed meanwhile.
        """
        with self.shared(), _opened(self._of(block)) as alone:
            yield _locks_soon(alone)

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Keep the folder from being taken for vacant, as several engines may. Raises NotFound as `joined` does."""
        with _opened(self._joint) as together:
            fcntl.flock(together, fcntl.LOCK_SH)
            if not _is_at(self._joint, together):
                raise self._deleted()
            yield

    def is_joined(self, block: int | None = None) -> bool:
        """Whether an engine works on a block of shards now, or on that one."""
        if block is None:
            return _is_locked(self._joint, fcntl.LOCK_EX)  # which several share
        return _is_locked(self._of(block), fcntl.LOCK_SH)

    def blocks(self) -> frozenset[int]:
        """Return the blocks of shards that engines work on now."""
        files = self._folder.glob(f"{BLOCK}*")
        return frozenset(int(file.name.removeprefix(BLOCK)) for file in files if _is_locked(file, fcntl.LOCK_SH))

    def wait_until_left(self) -> None:
        """Wait until no engine works on a block of shards."""
        with _opened(self._joint) as together:
            fcntl.flock(together, fcntl.LOCK_EX)

    def is_occupied(self) -> bool:
        """Whether any engine works in the folder now."""
        return self.is_held() or self.is_joined()

    def _of(self, block: int) -> Path:
        return self._folder / f"{BLOCK}{block:03}"

    def _open(self) -> int:
        with storing(self._whole):
            self._folder.mkdir(parents=True, exist_ok=True)
            return os.open(self._whole, os.O_RDWR | os.O_CREAT, 0o600)

    def _deleted(self) -> NotFound:
        return NotFound(f"job {self._job_id} was deleted while another engine worked on it")


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError as error:
        raise NotFound(f"{place(path.parent)} is gone, or another process has it elsewhere") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file is still the one there: it is not once the folder was removed."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _is_locked(path: Path, kind: int) -> bool:
    """Whether somebody holds a lock that a lock of a kind could not stand beside."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _locks_at_once(descriptor, kind)
    finally:
        os.close(descriptor)


def _locks_soon(descriptor: int) -> bool:
    """Lock what somebody may look at now, and nobody may hold; whether it was had."""
    for _ in range(LOOKS):
        if _locks_at_once(descriptor, fcntl.LOCK_EX):
            return True
        time.sleep(LOOK_S)
    return False


def _locks_at_once(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
