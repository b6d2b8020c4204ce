"""Objects as the files of a disk. Whoever writes a job's holds its folder, and nobody else does."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from pyarrow.fs import FileSystem, LocalFileSystem

from store.files.atomic import publish, publish_once
from store.objects.objects import Objects, Segments, nobody_kept_out


class Disk:
    """The files themselves."""

    filesystem: FileSystem = LocalFileSystem()

    def name(self, path: Path) -> str:
        """Return what `filesystem` calls a file."""
        return str(path)

    def file(self, path: Path) -> Path:
        """Return the file."""
        return path

    latest = file

    def fetch(self, folder: Path) -> None:
        """Do nothing: the files are here."""

    def exists(self, path: Path) -> bool:
        """Whether a file is there."""
        return path.is_file()

    def names(self, folder: Path) -> list[str]:
        """Return the names of what lies in a folder, sorted."""
        try:
            return sorted(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def below(self, folder: Path) -> Iterator[str]:
        """Yield the names of all files below a folder, relative to it."""
        start = len(str(folder)) + 1
        for parent, _, names in os.walk(folder):
            yield from (f"{parent}/{name}"[start:] for name in names)

    def appended(self, path: Path) -> BinaryIO:
        """Open a file."""
        return path.open("rb")

    def segments(self, path: Path, fence: Callable[[], bool] = nobody_kept_out) -> Segments | None:
        """Return None: files are appended to."""
        return None

    def put(self, path: Path, write: Callable[[Path], object]) -> None:
        """Put what `write` fills a file with in the place of one."""
        publish(path, write)

    def publish(self, path: Path, write: Callable[[Path], object]) -> bool:
        """Put a file in its place; there is nobody who could have been first."""
        publish(path, write)
        return True

    def create(self, path: Path, write: Callable[[Path], object]) -> bool:
        """Put a file in its place unless there is one, and return whether that holds what `write` fills a file with."""
        return publish_once(path, write)

    def move(self, file: Path, path: Path) -> None:
        """Put a finished file in its place."""
        file.replace(path)

    def offer(self, file: Path, path: Path) -> None:
        """Do nothing: a rename takes no time."""

    def delete(self, path: Path) -> None:
        """Delete a file, if it is there."""
        path.unlink(missing_ok=True)

    def delete_folder(self, folder: Path) -> None:
        """Delete all files below a folder, and it."""
        shutil.rmtree(folder, ignore_errors=True)

    def forget(self, path: Path) -> None:
        """Do nothing: what is here is no copy."""


DISK: Final[Objects] = Disk()
