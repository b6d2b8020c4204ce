"""`make many-test`: many small jobs created at a rate, on the default SQLite; all complete, and no status is late.

A status is late by the time between the report of an engine that its results are there and the status `completed`.
Writes its section of RELIABILITY.md.
"""

import argparse
import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import httpx
import sqlalchemy as sa

from bench.creates import JOBS, SPEC, p95
from bench.reliability import table, verdict, write_section
from bench.report import machine
from cli.serve import service
from core.settings import Settings
from store.db.connect import connect, reading
from store.db.tables import job_progress, jobs

HEADING: Final = "Many jobs: `make many-test`"
LATE_S: Final = 5.0
LIST_S: Final = 0.1
JOBS_A_SECOND: Final = 3.0
LOOK_S: Final = 1.0


@dataclass
class Lists:
    """The first page of the jobs, read again and again; `seconds` is what each took."""

    url: str
    seconds: list[float] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        """Read until told to stop."""
        with httpx.Client(base_url=self.url, timeout=60, trust_env=False) as http:
            while not self.stopping.wait(0.2):
                begun = time.monotonic()
                http.get(JOBS).raise_for_status()
                self.seconds.append(time.monotonic() - begun)


def create(url: str, count: int, rate: float) -> list[str]:
    """Create so many jobs, so many a second; return their ids."""
    begun = time.monotonic()

    def create_one(number: int) -> str:
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        job_id: str = http.post(JOBS, json={"spec": SPEC}).raise_for_status().json()["id"]
        return job_id

    with httpx.Client(base_url=url, timeout=60, trust_env=False) as http, ThreadPoolExecutor(8) as clients:
        return list(clients.map(create_one, range(count)))


def delays(tables: sa.Engine) -> list[float]:
    """Return how long after the report of its results each completed job was shown as that, in seconds."""
    found = sa.select(job_progress.c.results_ready_at, jobs.c.finished_at).join_from(jobs, job_progress)
    with reading(tables) as connection:
        rows = connection.execute(found.where(jobs.c.status == "completed")).all()
    return [_seconds(ready, finished) for ready, finished in rows if ready is not None]


def _seconds(ready: datetime, finished: datetime) -> float:
    return max(0.0, (finished - ready).total_seconds())


def count(tables: sa.Engine, *statuses: str) -> int:
    """Return how many jobs are in one of the statuses."""
    with reading(tables) as connection:
        found = connection.scalar(sa.select(sa.func.count()).select_from(jobs).where(jobs.c.status.in_(statuses)))
    return found or 0


def main() -> None:
    """Create the jobs on a service with a home of its own, wait for their ends, and say how it went."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="assay-many-") as folder:
        settings = Settings(home=Path(folder), port=0)
        with service(settings, lambda _: None) as running:
            text = _measure(running.url, settings, options)
    print(text)
    if options.write:
        write_section(options.write, HEADING, text)


def _measure(url: str, settings: Settings, options: argparse.Namespace) -> str:
    tables, lists, begun = connect(settings.jobs_url), Lists(url), time.monotonic()
    reader = threading.Thread(target=lists.read, daemon=True)
    reader.start()
    ids = create(url, options.jobs, options.rate)
    created_s = time.monotonic() - begun
    deadline = time.monotonic() + options.within
    while count(tables, "completed", "failed", "cancelled", "unknown") < len(ids) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    seconds = time.monotonic() - begun
    lists.stopping.set()
    reader.join()
    completed, late = count(tables, "completed"), delays(tables)
    tables.dispose()
    rows: list[tuple[str, object, object]] = [
        ("jobs completed", completed, options.jobs),
        ("jobs a second, from the first request to the last end", f"{completed / seconds:.2f}", f"{JOBS_A_SECOND:g}"),
        ("latest status, s", f"{max(late, default=0.0):.2f}", f"{LATE_S:g}"),
        ("p95 of a list meanwhile, s", f"{p95(lists.seconds):.3f}", f"{LIST_S:g}"),
    ]
    failures = [
        *([f"{options.jobs - completed} jobs did not complete"] if completed < options.jobs else []),
        *(["too few jobs a second"] if completed / seconds < JOBS_A_SECOND else []),
        *(["a status was late"] if max(late, default=0.0) > LATE_S else []),
        *(["lists were slow"] if p95(lists.seconds) > LIST_S else []),
    ]
    head = f"{options.jobs} jobs of one sample, asked for at {options.rate:g}/s and created in {created_s:.0f} s."
    load = f"Load average {os.getloadavg()[0]:.1f} at the end."
    return f"{head}\n\n{table(('', 'found', 'goal'), rows)}\n\n{verdict(failures)}\n\n{load} {machine()}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.many", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=50.0, help="jobs a second")
    parser.add_argument("--within", type=float, default=1800.0, help="seconds for all to end")
    parser.add_argument("--write", type=Path, metavar="FILE", help="RELIABILITY.md, or another such file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
