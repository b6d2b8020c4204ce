"""What a job says as it is carried out, with no key in it: in its folder's log, and where its run is watched."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from store.results.folder import JobFolder
from store.results.log import JobLog, Level
from tasks.engine.keys import Keys


class MaskedLog:
    """The log of a job, and its notes, which stay with the results."""

    file: JobLog

    def __init__(self, keys: Keys, tell: Callable[[str], object]) -> None:
        """Have all that is said told to `tell`, too; nothing is written before the log is `opened`."""
        self.tell = tell
        self._keys = keys
        self._notes: dict[tuple[str, ...], str] = {}
        self._lock = threading.Lock()

    @contextmanager
    def opened(self, folder: JobFolder) -> Iterator[None]:
        """Write in the log of a folder."""
        with closing(folder.open_log()) as self.file:
            yield

    def write(self, message: str, *, level: Level = "INFO") -> None:
        """Log what only who reads the log need know."""
        self.file.write(self._keys.masked(message), level=level)

    def say(self, message: str) -> None:
        """Log a step of the job, and tell of it where the run is watched."""
        message = self._keys.masked(message)
        self.file.write(message)
        self.tell(message)

    def note(self, about: tuple[str, ...], message: str) -> None:
        """Log what users must know of how their job was carried out, once for each thing it is about, and keep it."""
        with self._lock:
            is_new = self._notes.setdefault(about, message) is message
        if is_new:
            self.say(message)

    @property
    def notes(self) -> list[str]:
        """What was noted so far."""
        return [self._keys.masked(note) for note in self._notes.values()]
