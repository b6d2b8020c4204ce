"""`python -m bench.pages`: how long the pages take, of many jobs and of one large job, and what of the processor.

The processor's time is that of the client too, which is in the same process. The first request of a page, which reads
what is remembered then, stands by itself. The API answers over a socket; the jobs are made up in a temporary home,
through the store as an engine would.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Final

import httpx

from bench.lists import FACES, fill, serving
from bench.samples import JOB, SPEC, WARM_UP, write
from core.job import NewJob, utcnow
from core.settings import Settings
from store.db.connect import connect
from store.workspace import Workspace
from tasks.summaries.slices import summaries_so_far

MANY: Final = "of many jobs"
LARGE: Final = "of one large job"
OF_JOBS: Final = (
    "/",
    "/?filter[status]=completed",
    "/?search[text]=nightly-77",
    "/?search[text]=not%20to%20be%20found",
    "/?before=2020-01-01T00:00:00",
)
OF_ONE_JOB: Final = (
    f"/jobs/{JOB}",
    f"/jobs/{JOB}/progress",
    f"/jobs/{JOB}/samples",
    f"/jobs/{JOB}/samples?filter[passed]=false",
    f"/jobs/{JOB}/samples?sort=score.grade",
    f"/jobs/{JOB}/samples?filter[outcome][neq]=scored",
    f"/jobs/{JOB}/samples/qa/500000",
    f"/jobs/{JOB}/samples/qa/500000?sort=score.grade&filter[score.string-check]=0",
)


def main() -> None:
    """Make the jobs, ask for the pages, and print the times."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="assay-pages-") as home:
        settings = Settings(home=Path(home))
        workspace = Workspace.open(settings, migrating=True)
        engine = connect(settings.jobs_url)
        for face in FACES:
            fill(engine, face, options.jobs // len(FACES))
        engine.dispose()
        _make_large(workspace, options.samples)
        print(f"{options.jobs:,} jobs, one of {options.samples:,} samples; {options.rounds} requests of each page")
        print(f"{'first':>8} {'median':>8} {'p95':>8} {'processor':>10}  milliseconds{'kB':>75}")
        with serving(workspace) as http:
            for title, paths in ((MANY, OF_JOBS), (LARGE, OF_ONE_JOB)):
                print(title)
                for path in paths:
                    _measure(http, path, options.rounds)
        workspace.close()


def _make_large(workspace: Workspace, samples: int) -> None:
    workspace.jobs.add(NewJob(id=JOB, face="nemo-v2", spec=SPEC, request={}, name=JOB))
    folder = workspace.folder(JOB)
    write(folder, samples)
    folder.write_summaries(summaries_so_far(folder, most=samples))
    workspace.jobs.settle(JOB, status="completed", finished_at=utcnow())


def _measure(http: httpx.Client, path: str, rounds: int) -> None:
    taken, used = [], []
    for _ in range(WARM_UP + rounds):
        began, worked = perf_counter(), process_time()
        answer = http.get(path).raise_for_status()
        taken.append(1_000 * (perf_counter() - began))
        used.append(1_000 * (process_time() - worked))
    first, *taken = taken[:1] + taken[WARM_UP:]
    figures = f"{first:8.1f} {median(taken):8.1f} {quantiles(taken, n=20)[-1]:8.1f} {median(used[WARM_UP:]):10.1f}"
    print(f"{figures}  {path:80} {len(answer.content) / 1_000:6.1f}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=10, help="requests of each page")
    return parser.parse_args()


if __name__ == "__main__":
    main()
