"""Files that appear whole or not at all: whatever is published once is never seen half-written."""

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from core.errors import StorageFull

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def publish(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file, then put that in the place of `path`, durably.

    Folders are made as needed. On failure `path` is as it was, and nothing else is left.
    Raises StorageFull if the disk or a quota is full.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            sync(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
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
    """Raise a full disk, met while `path` is written, as StorageFull."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull(f"no space is left on the disk: {path} was not written") from error
        raise
