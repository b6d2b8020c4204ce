"""What is asked of the place where results and files lie: each object is there whole, or it is not there.

An object is named by its path below the home, wherever it lies. Those that are written once never change, so that a
copy of one is as good as it; `latest` is for the few others.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Protocol

from pyarrow.fs import FileSystem

from core.errors import StorageFailed


def nobody_kept_out() -> bool:
    """Return that whoever writes may."""
    return True


class Segments(Protocol):
    """Appends to what is kept as many small objects, since none can be added to."""

    def append(self, data: bytes) -> None:
        """Take what comes next; it is kept within a second, or once there is much of it."""

    def sync_soon(self) -> None:
        """Have all that was taken kept, and do not wait for that."""

    def sync(self) -> None:
        """Keep all that was taken. Raises StorageFailed; nothing is lost by that, and it may be done again."""

    def unkept(self) -> bytes:
        """Return what was taken and is not kept yet."""


class Objects(Protocol):
    """A place for objects; what it cannot do raises StorageFailed, or StorageFull."""

    filesystem: FileSystem
    """What Arrow reads the objects by, which calls each by its `name`."""

    def name(self, path: Path) -> str:
        """Return what `filesystem` calls an object."""

    def file(self, path: Path) -> Path:
        """Return a file with what an object holds that is written once; of one that is not there, where no file is."""

    def latest(self, path: Path) -> Path:
        """Return a file with what an object holds now, as `file` does."""

    def fetch(self, folder: Path) -> None:
        """Have the files below a folder at hand that `file` will be asked for, many at a time."""

    def exists(self, path: Path) -> bool:
        """Whether an object is there."""

    def names(self, folder: Path) -> list[str]:
        """Return the names of what lies in a folder, sorted; none of one that is not there."""

    def below(self, folder: Path) -> Iterable[str]:
        """Return the names of all objects below a folder, relative to it and in any order."""

    def appended(self, path: Path) -> BinaryIO:
        """Open all that was appended to an object. Raises FileNotFoundError."""

    def segments(self, path: Path, fence: Callable[[], bool] = nobody_kept_out) -> Segments | None:
        """Return what appends to an object; None where a file is appended to.

        The `fence` is asked before a segment is put in its place: one that it does not let pass is dropped.
        """

    def put(self, path: Path, write: Callable[[Path], object]) -> None:
        """Put what `write` fills a file with in the place of an object."""

    def publish(self, path: Path, write: Callable[[Path], object]) -> bool:
        """Put an object that is written once, and return whether it holds that: who comes second changes nothing."""

    def create(self, path: Path, write: Callable[[Path], object]) -> bool:
        """Put an object unless there is one, and return whether it holds what `write` fills a file with."""

    def move(self, file: Path, path: Path) -> None:
        """Put a finished file, which is on the disk of the home, in the place of an object named by its content."""

    def offer(self, file: Path, path: Path) -> None:
        """Do of a later `move` what takes long."""

    def delete(self, path: Path) -> None:
        """Delete an object, or what was appended to it, if it is there."""

    def delete_folder(self, folder: Path) -> None:
        """Delete all objects below a folder."""

    def forget(self, path: Path) -> None:
        """Delete the copies here of an object that is gone, or of all below a folder; nothing if there are others."""


def overtaken(path: Path) -> StorageFailed:
    """Return the error of one who wrote other than who was first."""
    return StorageFailed(f"{path.parent.name}/{path.name} was written otherwise by another engine of the job meanwhile")
