"""`python -m bench.attacks.watch URL PID STEADY`: what the service is like while it is attacked, from a process beside.

Watches from one line on its standard input to the next, then prints what it saw, as JSON: how long `/health` takes, how
long the endpoint at STEADY waits for the next call of another job, and how much each process grows.
"""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Final, Self
from urllib.parse import urlsplit

from bench.processes import children, family, forget_peak, peak_mb

HEALTH_EVERY_S: Final = 0.02
PROGRESS_EVERY_S: Final = 0.05
MEMORY_EVERY_S: Final = 0.25


@dataclass
class Seen:
    """What was seen: seconds that `/health` took, 99 times of 100 and ever, and in which no call came; growth in MB."""

    health_p99_s: float = 0.0
    health_most_s: float = 0.0
    standstill_s: float = 0.0
    grown_mb: dict[str, float] = field(default_factory=dict)
    died: list[str] = field(default_factory=list)


class Watch:
    """Watches while its context lasts."""

    def __init__(self, url: str, supervisor: int, steady: str) -> None:
        """Prepare; the context begins it."""
        self.seen = Seen()
        self._service, self._steady = urlsplit(url).netloc, urlsplit(steady).netloc
        self._supervisor = supervisor
        self._answers_s: list[float] = []
        self._first_mb: dict[int, float] = {}
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._children = _named(self._supervisor)
        for pid in family(self._supervisor):
            with suppress(OSError):
                forget_peak(pid)
        self._threads = [threading.Thread(target=watch) for watch in (self._health, self._progress, self._memory)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self.seen.health_most_s = max(self._answers_s, default=0.0)
        self.seen.health_p99_s = quantiles(self._answers_s, n=100)[-1] if len(self._answers_s) > 1 else float("inf")
        self.seen.died = sorted(set(self._children.values()) - set(_named(self._supervisor).values()))

    def _health(self) -> None:
        """Ask again and again; an answer that is not 200, or none, counts as one that took a minute."""
        connection = http.client.HTTPConnection(self._service, timeout=60)
        while not self._over.wait(HEALTH_EVERY_S):
            begun = time.monotonic()
            try:
                connection.request("GET", "/health")
                status, _ = (answer := connection.getresponse()).status, answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0
            self._answers_s.append(time.monotonic() - begun if status == 200 else 60.0)

    def _progress(self) -> None:
        connection = http.client.HTTPConnection(self._steady, timeout=60)
        calls, since = "", time.monotonic()
        while not self._over.wait(PROGRESS_EVERY_S):
            connection.request("GET", "/calls")
            now = connection.getresponse().read().decode()
            self.seen.standstill_s = max(self.seen.standstill_s, time.monotonic() - since)
            if now != calls:
                calls, since = now, time.monotonic()

    def _memory(self) -> None:
        while not self._over.wait(MEMORY_EVERY_S):
            for pid in family(self._supervisor):
                with suppress(OSError, StopIteration):  # it has ended meanwhile
                    self._weigh(pid)

    def _weigh(self, pid: int) -> None:
        mb, name = peak_mb(pid), _name(pid)
        grown = mb - self._first_mb.setdefault(pid, mb)
        self.seen.grown_mb[name] = max(self.seen.grown_mb.get(name, 0.0), grown)


def _name(pid: int) -> str:
    """Return what a process is: the module that it runs, or its program."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return words[words.index("-m") + 1] if "-m" in words else Path(words[0]).name


def _named(supervisor: int) -> dict[int, str]:
    """Return the processes that the supervisor has started, each by its id and as it is called with it."""
    return {pid: f"{_name(pid)} (process {pid})" for pid in children(supervisor)}


class Watching:
    """A watch in a process of its own, which what this one does does not slow."""

    def __init__(self, url: str, supervisor: int, steady: str) -> None:
        """Start it; `over` ends it."""
        command = [sys.executable, "-m", "bench.attacks.watch", url, str(supervisor), steady]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def during(self, act: Callable[[], None]) -> Seen:
        """Return what was seen while something was done."""
        self._tell()
        act()
        return Seen(**json.loads(self._tell()))

    def close(self) -> None:
        """End it."""
        self._process.communicate()

    def _tell(self) -> str:
        """Have it begin, or say what it saw."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def main() -> None:
    """Watch from one line to the next, until there are no more."""
    url, supervisor, steady = sys.argv[1:]
    while sys.stdin.readline():
        with Watch(url, int(supervisor), steady) as watch:
            sys.stdout.write("begun\n")
            sys.stdout.flush()
            sys.stdin.readline()
        sys.stdout.write(json.dumps(asdict(watch.seen)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
