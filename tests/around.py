"""Commands that are given something for their length, and how they and what they run are told to end.

`python -m tests.postgres COMMAND...` is one; they stand before each other.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence


def run(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command to its end, with more variables, and return its code.

    SIGTERM and Ctrl-C are for the command to heed: it ends before what it was given does.
    """
    told: list[int] = []
    started: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, _: object) -> None:
        told.append(number)
        for process in started:
            process.terminate()

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, lambda *_: None)  # the terminal tells the command, too
    with subprocess.Popen(command, env=os.environ | variables) as process:
        started.append(process)
        if told:  # before there was a process to tell
            process.terminate()
        return process.wait()


def end_in_order() -> None:
    """Have the first SIGTERM end this process by leaving all contexts, which later ones do not disturb."""

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(1)

    signal.signal(signal.SIGTERM, end)
