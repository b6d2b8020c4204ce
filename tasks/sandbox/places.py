"""The processes that there may be, lent to those that ask in turn."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, LifoQueue

from tasks.sandbox.process import Process, Program
from tasks.sandbox.turns import Turns


class Places:
    """At most `size` processes of one program, started when they are wanted and shared by all threads."""

    def __init__(self, size: int, program: Program) -> None:
        """Start nothing yet."""
        self._program = program
        self._turns = Turns(size)
        self._idle = LifoQueue[Process | None]()  # None: a process may be started
        for _ in range(size):
            self._idle.put(None)

    @contextmanager
    def process(self, key: str) -> Iterator[Process]:
        """Lend a process that runs, in the turns of `key`; one with which anything goes wrong is killed."""
        with self._turns.turn(key):
            process = self._idle.get()
            try:
                if process and (process.is_worn or not process.alive):
                    process.kill()
                    process = None
                process = process or Process(self._program)
                yield process
            except BaseException:
                if process:
                    process.kill()
                process = None
                raise
            finally:
                self._idle.put(process)

    def close(self) -> None:
        """End the processes that have nothing to do."""
        with suppress(Empty):
            while True:
                if process := self._idle.get_nowait():
                    process.kill()
