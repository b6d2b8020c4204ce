"""Two workers, each with a disk of its own, over an object store and Postgres: kill -9, and the disk goes too.

`python -m bench.apart`, which finds both servers by `tests.postgres` and `tests.objects`. Exits with 1 if a sample is
missing or there twice, if a call was paid again after it was recorded, or if a figure does not add up.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import quote

import httpx

from bench.distant import SecondApi, working_apart
from bench.reliability import table, verdict, write_section
from bench.report import machine
from bench.trial import Findings, Trial
from bench.victims import Victim, endpoint_process, kill_child
from tests import postgres

HEADING: Final = "Workers with nothing in common: `make scale-test`"
LATENCY_S: Final = 0.1
SAMPLES: Final = 400
LONGEST_WAIT_S: Final = 4.0


def answers(url: str, job_id: str) -> list[bytes]:
    """Return what an API process says of a job that has ended: its scores, its samples, its log, and to SQL."""
    job = f"{url}/api/assay/v1/jobs/{job_id}"
    query = f"SELECT * FROM scores WHERE job_id = '{job_id}' ORDER BY ALL"
    asked = (
        f"{job}/summaries",
        f"{job}/usage",
        f"{job}/samples?format=csv",
        f"{job}/logs",
        f"{url}/sql?q={quote(query)}&format=csv",
    )
    with httpx.Client(trust_env=False, timeout=60) as client:
        return [client.get(each).raise_for_status().content for each in asked]


def main() -> None:
    """Kill, print what came of it, and write it down."""
    parser = argparse.ArgumentParser(prog="python -m bench.apart", description=__doc__)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, metavar="FILE", help="RELIABILITY.md, or another such file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the processes are stopped
    with (
        tempfile.TemporaryDirectory(prefix="assay-apart-", ignore_cleanup_errors=True) as folder,
        postgres.schema(os.environ[postgres.VARIABLE]) as database,
        endpoint_process(LATENCY_S) as endpoint,
    ):
        found = torment(Path(folder), database, endpoint, options.kills, options.seed)
    text = report(found, options.seed)
    print(text)
    if options.write:
        write_section(options.write, HEADING, text)
    sys.exit(bool(found.failures))


def torment(folder: Path, database: str, endpoint: str, kills: int, seed: int) -> Findings:
    """Kill the two workers in turn while both are at work, then let the jobs come to their end."""
    chance = random.Random(seed)

    def kill(_victim: Victim) -> None:
        if len(trial.found.kills) % 2:
            kill_child(apart.service.pid, "worker")
        else:
            apart.distant.kill()
            apart.distant.start()

    with (
        working_apart(folder, database) as apart,
        closing(SecondApi(folder, apart.settings)) as second,
    ):
        url = apart.service.url
        trial = Trial(url, apart.results, endpoint, kill, samples=SAMPLES, objects=apart.objects)
        while len(trial.found.kills) < kills:
            trial.top_up()
            trial.strike("worker", "any", chance.uniform(1.0, LONGEST_WAIT_S))
            print(f"{len(trial.found.kills)}: {trial.found.kills[-1].resumed_s}", file=sys.stderr, flush=True)
        found = trial.finish()
        for report in found.reports:
            if answers(url, report.job_id) != answers(second.url, report.job_id):
                found.failures.append(f"two API processes say otherwise of {report.job_id}")
        return found


def report(found: Findings, seed: int) -> str:
    """Return what came of the deaths as Markdown."""
    again = sum(each.calls for each in found.repaid)
    in_flight = sum(len(kill.death.in_flight) for kill in found.kills)
    back = [kill.resumed_s for kill in found.kills if kill.resumed_s is not None]
    claims = [
        ("samples without both of their scores, or with a score twice", found.missing + found.duplicated, "0"),
        ("calls paid again after they were recorded", sum(len(each.wrong) for each in found.repaid), "0"),
        ("calls that the endpoint was asked", f"{found.asked:,}", ""),
        ("of these paid again, having been in flight or less than a second old at a death", again, f"<= {in_flight}"),
        ("calls in the results", f"{sum(each.calls for each in found.reports):,}", f"{found.asked - again:,}"),
        ("jobs in which `assay fsck` finds a difference", sum(bool(each.difference) for each in found.reports), "0"),
        ("seconds from a death to the next request", f"{max(back):.1f} at most, median {median(back):.1f}", ""),
    ]
    return f"""
{len(found.kills)} deaths by kill -9 (seed {seed}) of two workers in turn, in {len(found.reports)} jobs of
{found.samples:,} samples, each generated and judged. The workers have the database and the object store in common,
and no folder; one of them starts on an empty disk after each death. What they left is read on a third disk. A second
API process, on a fourth, says the same of each job as the service's own: scores, samples, usage, log, and SQL.

{table(("", "found", "should be"), claims)}

{verdict(found.failures)}

{machine()}, load average {os.getloadavg()[1]:.1f}
"""


if __name__ == "__main__":
    main()
