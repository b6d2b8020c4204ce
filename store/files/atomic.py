"""Files that appear whole or not at all: whatever is published once is never seen half-written."""

import errno
import filecmp
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from core.errors import StorageFailed, StorageFull

KEPT: Final = frozenset({"results", "files"})
"""The folders of a home in which things are kept."""

NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK})
"""What a file system says that has no hard links."""

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def publish(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file, then put that in the place of `path`, durably.

    Folders are made as needed. On failure `path` is as it was, and nothing else is left.
    Raises StorageFull if the disk or a quota is full, and StorageFailed if it cannot be written for another reason.
    """
    with _draft_of(path, write) as draft:
        draft.replace(path)


def publish_once(path: Path, write: Callable[[Path], object]) -> bool:
    """Do as `publish` does unless there is a file, which stays; return whether that holds what `write` would."""
    with _draft_of(path, write) as draft:
        try:
            os.link(draft, path)
        except FileExistsError:
            return filecmp.cmp(path, draft, shallow=False)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            draft.replace(path)
        return True


@contextmanager
def _draft_of(path: Path, write: Callable[[Path], object]) -> Iterator[Path]:
    """Give a temporary file, filled and synced, that is gone in the end; the folder is synced then."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.touch(mode=0o600)
            write(draft)
            sync(draft)
            yield draft
        finally:
            draft.unlink(missing_ok=True)
        sync(path.parent)


def make_private(path: Path, text: str) -> None:
    """Make a file with a text, for its owner alone, unless there is one; processes that start at once agree on one."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with storing(path):
        try:
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
            sync(draft)
            # A link appears whole, and never replaces the file of a process that was faster.
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        sync(path.parent)


def sync(path: Path) -> None:
    """Wait until the disk holds a file's content, or a folder's entries."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Raise what the system says against writing `path` as StorageFull or StorageFailed, naming it below the home."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            remedy = "free some, then run the job or send the request again"
            raise StorageFull(f"no space is left on the disk: {_below_home(path)} was not written; {remedy}") from error
        remedy = "see that it can be written, then run the job or send the request again"
        raise StorageFailed(f"{_below_home(path)} was not written: {error.strerror or error}; {remedy}") from error


def _below_home(path: Path) -> Path:
    """Return a path without what is before the folders of a home, which is nobody's business."""
    start = max((place for place, part in enumerate(path.parts) if part in KEPT), default=len(path.parts) - 1)
    return Path(*path.parts[start:])
