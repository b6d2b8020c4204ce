"""`make create-test`: jobs that many clients create at once on the default SQLite; all must be made, and end completed.

Writes its section of RELIABILITY.md.
"""

import argparse
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import httpx

from bench.reliability import table, write_section
from bench.report import machine
from cli.serve import service
from core.settings import Settings

JOBS: Final = "/v2/evaluation/jobs"
HEADING: Final = "Jobs created at once: `make create-test`"
ENDED_WITHIN_S: Final = 300.0
CHECK: Final = {"type": "string-check", "params": {"check": ["{{item.a}}", "equals", "1"]}}
SPEC: Final = {
    "target": {"type": "rows", "rows": [{"a": "1"}]},
    "config": {"type": "custom", "tasks": {"qa": {"type": "data", "metrics": {"right": CHECK}}}},
}


def create(url: str, count: int) -> tuple[list[str], list[float]]:
    """Create so many jobs at once, each over a connection of its own; return their ids, and the seconds of each."""
    together = threading.Barrier(count)
    connections = httpx.Limits(max_connections=count, max_keepalive_connections=count)

    def create_one(http: httpx.Client) -> tuple[str, float]:
        together.wait()
        begun = time.monotonic()
        answer = http.post(JOBS, json={"spec": SPEC})
        return answer.raise_for_status().json()["id"], time.monotonic() - begun

    with httpx.Client(base_url=url, timeout=60, limits=connections) as http, ThreadPoolExecutor(count) as clients:
        made = list(clients.map(create_one, [http] * count))
    return [job_id for job_id, _ in made], [seconds for _, seconds in made]


def p95(seconds: list[float]) -> float:
    """Return what all but one in twenty took at most."""
    return quantiles(seconds, n=20)[-1]


def main() -> None:
    """Create jobs on a service with a home of its own, wait for their ends, and say how it went."""
    options = _options()
    with (
        tempfile.TemporaryDirectory(prefix="assay-creates-") as folder,
        service(Settings(home=Path(folder), port=0), lambda _: None) as running,
    ):
        rows = [(number, *_round(running.url, options.jobs)) for number in range(1, options.rounds + 1)]
    columns = ("round", "created", "completed", "median, s", "p95, s", "most, s", "all ended after, s")
    text = f"{options.jobs} jobs are created at once; the p95 should be below 1 s.\n\n{table(columns, rows)}"
    text += f"\n\n{machine()}"
    print(text)
    if options.write:
        write_section(options.write, HEADING, text)


def _round(url: str, count: int) -> tuple[object, ...]:
    begun = time.monotonic()
    ids, seconds = create(url, count)
    statuses = _ends(url, ids)
    completed = sum(status == "completed" for status in statuses.values())
    figures = (median(seconds), p95(seconds), max(seconds), time.monotonic() - begun)
    return len(set(ids)), completed, *(f"{figure:.2f}" for figure in figures)


def _ends(url: str, ids: list[str]) -> dict[str, Any]:
    """Return the statuses in which jobs ended, or in which they were when there was no more time."""
    deadline = time.monotonic() + ENDED_WITHIN_S
    statuses = dict.fromkeys(ids, "")
    with httpx.Client(base_url=url, timeout=60) as http:
        while (open_jobs := [each for each in ids if statuses[each] not in ("completed", "error", "cancelled")]) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.1)
            statuses |= {each: http.get(f"{JOBS}/{each}").json()["status"] for each in open_jobs}
    return statuses


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.creates", description=__doc__)
    parser.add_argument("--jobs", type=int, default=50, help="jobs at once")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path, metavar="FILE", help="RELIABILITY.md, or another such file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
