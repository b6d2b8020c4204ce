"""How the files of a job's folder come to lie in their places: whole, and not from an engine that comes too late."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa

from store.objects.objects import Objects, overtaken
from store.results.columns import Schema
from store.results.parquet import drafted


class Publisher:
    """Puts files in their places, each once it is whole, unless a fence keeps it out then."""

    def __init__(self, objects: Objects) -> None:
        """Begin without a fence."""
        self._objects = objects
        self._fence: Callable[[], object] = lambda: None

    def fence_off(self, fence: Callable[[], object]) -> None:
        """Have `fence` called before what is written from now on is put in its place, to raise what keeps that out."""
        self._fence = fence

    def publish(self, path: Path, write: Callable[[Path], object]) -> None:
        """Write what is written once. Raises StorageFailed if another engine has written it otherwise."""
        if not self._objects.publish(path, self._fenced(write)):
            raise overtaken(path)

    def publish_rows(self, path: Path, tables: Iterable[pa.Table], schema: Schema) -> None:
        """Write a file of rows, as many at a time as can be held, as `publish` does."""
        with drafted(path, tables, schema.arrow) as draft:
            self.publish(path, draft.replace)

    def put(self, path: Path, write: Callable[[Path], object]) -> None:
        """Write what may be written again."""
        self._objects.put(path, self._fenced(write))

    def put_rows(self, path: Path, tables: Iterable[pa.Table], schema: Schema) -> None:
        """Write a file of rows that may be written again."""
        with drafted(path, tables, schema.arrow) as draft:
            self.put(path, draft.replace)

    def _fenced(self, write: Callable[[Path], object]) -> Callable[[Path], object]:
        """Return what fills a file as `write` does, and keeps it from its place if the fence raises then."""

        def write_unless_late(file: Path) -> None:
            write(file)
            self._fence()

        return write_unless_late
