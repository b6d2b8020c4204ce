"""`make stall-test`: workers that stand still for a while, amid their jobs, and then go on.

Two workers on one home, where a lock says that the one that stands still is alive; then two with nothing but a database
and an object store in common, where nothing tells but a lease, which ends. Exits with 1 if two are at one job, if a
sample is missing or there twice, or a call was paid again that was recorded or not in flight.
"""

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.distant import AT_MOST, working_apart
from bench.reliability import table, verdict, write_section
from bench.report import machine
from bench.trial import PARALLELISM, Findings, Trial
from bench.victims import Service, Victim, endpoint_process, free_port, wait_for, worker_of
from core.settings import Settings
from store.db.connect import connect
from store.db.leases import LEASE_S, Leases
from store.objects.disk import DISK
from store.objects.objects import Objects
from tests import postgres
from tests.around import end_in_order

HEADING: Final = "Standing still: `make stall-test`"
LATENCY_S: Final = 0.3
SAMPLES: Final = 500
JOBS: Final = 2
"""As many as one worker has room for: the other can take over all."""

AT_WORK_S: Final = 3.0
HELD_WITHIN_S: Final = 60.0
NOTICED_WITHIN_S: Final = 15.0
GAVE_WAY_WITHIN_S: Final = 30.0
LOOK_S: Final = 0.05


CLAIMS: Final = (
    "samples without both of their scores, or with a score twice",
    "calls paid again that were recorded, or not in flight",
    "calls that the endpoint was asked",
    "of these paid again",
    "calls in the results",
    "jobs in which `assay fsck` finds a difference",
)
ALLOWED: Final = ("0", "0", "", "", "those asked but for those paid again", "0")


@dataclass
class Stall:
    """For how long a worker stood still, how many jobs it had, and when others had taken them over, if they did."""

    seconds: float
    jobs: int
    taken_s: float | None = None
    gave_way: int = 0


Came = tuple[Findings, list[Stall]]
"""What was found of the jobs in a place in the end, and what came of each stall."""


class Stalls:
    """Stops one of a service's workers, and looks at the leases who has its jobs."""

    def __init__(
        self,
        url: str,
        results: Path,
        endpoint: str,
        *,
        leases: Leases,
        workers: Callable[[], Sequence[int]],
        objects: Objects = DISK,
    ) -> None:
        """Begin without a job; `workers` tells the processes, of which the last is the one that will stand still."""
        self._leases = leases
        self._workers = workers
        self._victim = 0
        self._stopped: dict[str, int] = {}
        self.trial = Trial(url, results, endpoint, self._stop, samples=SAMPLES, jobs=JOBS, objects=objects)

    def stall(self, seconds: float) -> Stall:
        """Have a worker that is at all jobs stand still for a while."""
        self.trial.drain()
        *others, self._victim = self._workers()
        with standing_still(others):
            self.trial.top_up()
            wait_for(lambda: len(self._held(self._victim)) == JOBS, HELD_WITHIN_S)
        try:
            self.trial.strike("worker", "any", AT_WORK_S, awaited=False)
            stall = self._look(seconds)
        finally:
            os.kill(self._victim, signal.SIGCONT)
        if stall.taken_s is not None:
            wait_for(lambda: all(self._gave_way(*each) for each in self._stopped.items()), GAVE_WAY_WITHIN_S)
            stall.gave_way = stall.jobs
        print(stall, file=sys.stderr, flush=True)
        return stall

    def _stop(self, _victim: Victim) -> None:
        os.kill(self._victim, signal.SIGSTOP)
        self._stopped = self._held(self._victim)

    def _look(self, seconds: float) -> Stall:
        """Note when all jobs of the one that stands still have been taken over, until it is time to go on."""
        died_at, stall, taken = self.trial.found.kills[-1].died_at, Stall(seconds, len(self._stopped)), set[str]()
        while (now_s := time.time() - died_at) < seconds:
            held = self._held()
            taken |= {job_id for job_id, epoch in self._stopped.items() if held.get(job_id, epoch) > epoch}
            if stall.taken_s is None and len(taken) == stall.jobs:
                stall.taken_s = now_s
            time.sleep(LOOK_S)
        return stall

    def _held(self, pid: int | None = None) -> dict[str, int]:
        """Return the epochs of the jobs that are held, by a worker if one is named."""
        held, holder = self._leases.held(self.trial.job_ids), f"{platform.node()}:{pid}"
        return {job_id: each.epoch for job_id, each in held.items() if pid is None or each.holder == holder}

    def _gave_way(self, job_id: str, epoch: int) -> bool:
        """Whether the log of a job says that the engine of an epoch did."""
        return any(f":{self._victim} (epoch {epoch}) was not heard of" in said for said in self.trial.said(job_id))


@contextmanager
def standing_still(pids: Sequence[int]) -> Iterator[None]:
    """Stop processes until the context ends."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def on_one_home(folder: Path, endpoint: str) -> Iterator[Stalls]:
    """Run two workers on a home."""
    service = Service(folder, free_port(), {"ASSAY_WORKERS": "2", **AT_MOST})
    try:
        engine = connect(Settings(home=folder).jobs_url)
        yield Stalls(
            service.url,
            folder / "results",
            endpoint,
            leases=Leases(engine),
            workers=lambda: [worker_of(service.pid, number) for number in range(2)],
        )
        engine.dispose()
    finally:
        service.stop()


@contextmanager
def on_two_homes(folder: Path, endpoint: str) -> Iterator[Stalls]:
    """Run two workers that have a database and an object store in common."""
    with (
        postgres.schema(os.environ[postgres.VARIABLE]) as database,
        working_apart(folder, database, endpoint) as apart,
    ):
        engine = connect(database)
        yield Stalls(
            apart.apis[1].url,
            apart.results,
            endpoint,
            leases=Leases(engine),
            workers=lambda: [worker_of(apart.service.pid), apart.distant.pid],
            objects=apart.objects,
        )
        engine.dispose()


def main() -> None:
    """Have workers stand still, print what came of it, and write it down."""
    parser = argparse.ArgumentParser(prog="python -m bench.stalls", description=__doc__)
    parser.add_argument("--seconds", type=float, nargs="*", default=[5.0, 30.0, 90.0])
    parser.add_argument("--write", type=Path, metavar="FILE", help="RELIABILITY.md, or another such file")
    options = parser.parse_args()
    end_in_order()
    one, two = (try_on(place, options.seconds) for place in (on_one_home, on_two_homes))
    for found, stalls, are_leased in ((*one, False), (*two, True)):
        found.failures += [wrong for stall in stalls if (wrong := judged(stall, are_leased=are_leased))]
    text = report(one, two)
    print(text)
    if options.write:
        write_section(options.write, HEADING, text)
    sys.exit(bool(one[0].failures or two[0].failures))


def try_on(place: "Callable[[Path, str], AbstractContextManager[Stalls]]", seconds: Sequence[float]) -> Came:
    """Have workers in a place stand still for so long, one after the other."""
    with (
        tempfile.TemporaryDirectory(prefix="assay-stall-", ignore_cleanup_errors=True) as folder,
        endpoint_process(LATENCY_S) as endpoint,
        place(Path(folder), endpoint) as stalls,
    ):
        came = [stalls.stall(each) for each in seconds]
        return stalls.trial.finish(), came


def judged(stall: Stall, *, are_leased: bool) -> str | None:
    """Return what should not have become of the jobs of a worker that stood still; None if nothing."""
    if are_leased and stall.seconds > NOTICED_WITHIN_S:
        late = stall.taken_s is None or stall.taken_s > NOTICED_WITHIN_S
        return f"others had the jobs of a worker after {_told(stall.taken_s)} s" if late else None
    if (not are_leased or stall.seconds < LEASE_S) and stall.taken_s is not None:
        return f"others took over the jobs of a worker that stood still for {stall.seconds:g} s"
    return None


def report(one: Came, two: Came) -> str:
    """Return what came of the stalls as Markdown."""
    claims = zip(CLAIMS, figures(one[0]), figures(two[0]), ALLOWED, strict=True)
    rows = [
        (place, f"{stall.seconds:g}", stall.jobs, _told(stall.taken_s), stall.gave_way, each.calls)
        for place, (found, stalls) in (("one home", one), ("two homes", two))
        for stall, each in zip(stalls, found.repaid, strict=True)
    ]
    return f"""
Of two workers with {JOBS} jobs at a time, of {SAMPLES:,} samples, each generated and judged, with {PARALLELISM} calls
at a time, the one that has them is stopped (SIGSTOP) for a while and continued, three times: on *one home*, where its
lock says that it is alive, and on *two homes* with only Postgres and an object store in common, where nothing tells but
its lease.

{table(("", "one home", "two homes", "should be"), claims)}

{verdict([*one[0].failures, *two[0].failures])}

{table(("on", "stopped for, s", "its jobs", "s until others had them", "engines that gave way", "paid again"), rows)}

An engine gives way that finds, when it goes on, another at its job: the job's log says so. *Paid again* are calls that
were in flight, and on two homes those that had not been put into the store.

{machine()}, load average {os.getloadavg()[1]:.1f}
"""


def figures(found: Findings) -> list[str]:
    """Return what was found of the claims."""
    counts = (
        found.missing + found.duplicated,
        sum(len(each.wrong) for each in found.repaid),
        found.asked,
        sum(each.calls for each in found.repaid),
        sum(each.calls for each in found.reports),
        sum(bool(each.difference) for each in found.reports),
    )
    return [f"{count:,}" for count in counts]


def _told(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f}"


if __name__ == "__main__":
    main()
