"""Rows on their way into shards: kept on disk, since how they are cut depends on how many come."""

import tempfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from store.files.atomic import storing


class Spool:
    """JSON texts in the order in which they came; `sizes` are their bytes. None has a line break."""

    def __init__(self, file: IO[bytes], folder: Path) -> None:
        self._file = file
        self._folder = folder
        self.sizes = array("Q")

    def add(self, text: bytes) -> None:
        """Keep a text. Raises StorageFull."""
        with storing(self._folder):
            self._file.write(text + b"\n")
        self.sizes.append(len(text))

    def texts(self) -> Iterator[str]:
        """Yield the texts, after the last has been added."""
        with storing(self._folder):
            self._file.seek(0)
        return (line[:-1].decode() for line in self._file)


@contextmanager
def spooling(folder: Path) -> Iterator[Spool]:
    """Give a spool on the disk of `folder`, of which nothing is left afterwards."""
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        yield Spool(file, folder)
