"""The signals that end what runs, heeded whatever this process inherited.

Under `nohup`, cron, many CI systems and in the background of a script, SIGINT is ignored from the start, and then
Python raises no KeyboardInterrupt; a signal may also be blocked.
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def heeding(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Have SIGINT, SIGTERM and the end of the terminal call `handler`; for the main thread.

    A SIGHUP that is ignored stays so: that is what `nohup` is for.
    """
    hung_up = () if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else (signal.SIGHUP,)
    numbers = (*INTERRUPTIONS, *hung_up)
    before = {number: signal.signal(number, handler) for number in numbers}
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def stop_signals() -> Iterator[Sequence[int]]:
    """Have the first signal end what runs, by KeyboardInterrupt, so that starting up ends too; others do nothing.

    Yields where that signal is found once it came: Python drops an exception that is raised in a finalizer.
    """
    told: list[int] = []  # no event: what the signal interrupts may hold its lock

    def stop(number: int, _frame: FrameType | None) -> None:
        if not told:
            told.append(number)
            raise KeyboardInterrupt

    with heeding(stop):
        yield told


def forget_inherited() -> None:
    """Have signals end this process as usual, until it sets handlers of its own; for a child that was just forked."""
    for number in INTERRUPTIONS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
