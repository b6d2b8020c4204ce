"""Two machines, each with a network and a disk of its own, that work on the same jobs: kill -9, and the disk goes too.

`python -m bench.apart`, which finds both servers by `tests.postgres` and `tests.objects`, and the machines by
`tests.network`. Exits with 1 if a sample is missing or there twice, if a call was paid again after it was recorded, if
a figure does not add up, or if two who read the store see different things there.
"""

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import sqlalchemy as sa

from bench.answers import ALL_SCORES, differences, printed
from bench.distant import Apart, Machine, working_apart
from bench.reliability import table, verdict, write_section
from bench.report import machine
from bench.trial import Findings, Trial
from bench.victims import endpoint_process
from store.db.connect import connect, reading
from store.db.leases import Leases
from store.db.tables import job_progress
from tests import network, postgres
from tests.around import end_in_order

HEADING: Final = "Workers with nothing in common: `make scale-test`"
LATENCY_S: Final = 0.1
SAMPLES: Final = 400
LONGEST_WAIT_S: Final = 4.0


class Left(NamedTuple):
    """How many jobs machines had as they died, and how many of these the other one ended."""

    held: int
    ended_by_other: int


class Deaths:
    """Kills the two machines in turn, and notes which jobs they had."""

    def __init__(self, apart: Apart, engine: sa.Engine) -> None:
        """Begin with nobody dead; `engine` is of the job tables."""
        self._machines = (apart.distant, apart.service)
        self._engine = engine
        self._left: list[tuple[str, Machine]] = []
        self._count = 0

    def kill(self, job_ids: Collection[str]) -> None:
        """Kill the one whose turn it is, and start it on an empty disk."""
        victim = self._machines[self._count % len(self._machines)]
        self._count += 1
        held = Leases(self._engine).held(job_ids)
        victim.kill()
        self._left += [(job_id, victim) for job_id, taken in held.items() if _pid(taken.holder) in victim.pids]
        victim.start()

    def jobs_left(self) -> Left:
        """Return what became of the jobs that a machine had as it died."""
        reported = sa.select(job_progress.c.job_id, job_progress.c.worker)
        with reading(self._engine) as connection:
            last = {row.job_id: _pid(row.worker) for row in connection.execute(reported)}
        return Left(len(self._left), sum(last[job_id] not in victim.pids for job_id, victim in self._left))


def main() -> None:
    """Kill, print what came of it, and write it down."""
    parser = argparse.ArgumentParser(prog="python -m bench.apart", description=__doc__)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, metavar="FILE", help="RELIABILITY.md, or another such file")
    options = parser.parse_args()
    end_in_order()
    with (
        tempfile.TemporaryDirectory(prefix="assay-apart-", ignore_cleanup_errors=True) as folder,
        postgres.schema(os.environ[postgres.VARIABLE]) as database,
        endpoint_process(LATENCY_S, network.found().address) as endpoint,
    ):
        found, left = torment(Path(folder), database, endpoint, options.kills, options.seed)
    text = report(found, left, options.seed)
    print(text)
    if options.write:
        write_section(options.write, HEADING, text)
    sys.exit(bool(found.failures))


def torment(folder: Path, database: str, endpoint: str, kills: int, seed: int) -> tuple[Findings, Left]:
    """Kill the two machines in turn while both are at work, let the jobs come to their end, and read what is there."""
    chance = random.Random(seed)
    with ExitStack() as stack:
        apart = stack.enter_context(working_apart(folder, database, endpoint))
        stack.callback((engine := connect(database)).dispose)
        deaths = Deaths(apart, engine)
        url = apart.apis[1].url
        trial = Trial(
            url, apart.results, endpoint, lambda _: deaths.kill(trial.job_ids), samples=SAMPLES, objects=apart.objects
        )
        while len(trial.found.kills) < kills:
            trial.top_up()
            trial.strike("worker", "any", chance.uniform(1.0, LONGEST_WAIT_S))
            print(f"{len(trial.found.kills)}: {trial.found.kills[-1].resumed_s}", file=sys.stderr, flush=True)
        found, left = trial.finish(), deaths.jobs_left()
        if not left.ended_by_other:
            found.failures.append("no machine ended a job that the other one had as it died")
        found.failures += read(folder, apart, trial.job_ids)
        return found, left


def read(folder: Path, apart: Apart, job_ids: Sequence[str]) -> Iterator[str]:
    """Yield who says otherwise than others of what is in the store."""
    for job_id in job_ids:
        for what in differences(*apart.apis, job_id):
            yield f"{what} of {job_id} is another by the second API process"
    command = [sys.executable, "-m", "cli", *ALL_SCORES]
    settings = {**apart.settings, "ASSAY_HOME": str(folder / "sql")}
    answers = [printed(each.place.command(folder, command), settings) for each in (apart.service, apart.distant)]
    if answers[0] != answers[1]:
        yield "assay sql answers otherwise on the other machine"
    if (rows := answers[0].count(b"\n") - 1) != 2 * SAMPLES * len(job_ids):
        yield f"assay sql finds {rows} scores"


def report(found: Findings, left: Left, seed: int) -> str:
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
        (
            "jobs that a machine had as it died, and of these ended by the other",
            f"{left.held}, {left.ended_by_other}",
            "",
        ),
        ("seconds from a death to the next request", f"{max(back):.1f} at most, median {median(back):.1f}", ""),
    ]
    return f"""
{len(found.kills)} deaths by kill -9 (seed {seed}) of two machines in turn, with all that runs on them, in
{len(found.reports)} jobs of {found.samples:,} samples, each generated and judged. One machine has `assay serve`, the
other a worker that is started by hand.

{where(network.found())}

A second API process, on a third disk, says the same of each job as the first: scores, usage, samples, log, page, SQL,
`assay jobs show` and `assay results`. `assay sql` reads the store from either machine, on an empty disk.

{table(("", "found", "should be"), claims)}

{verdict(found.failures)}

{machine()}, load average {os.getloadavg()[1]:.1f}
"""


def where(net: network.Network) -> str:
    """Say what the machines were."""
    if net.why_not:
        return f"""
**They have no namespaces** but a folder each, which is emptied at each death, and the loopback of this machine in
common: {net.why_not}.
""".strip()
    return f"""
Each machine is a network namespace whose one link leads to {net.address} and nowhere else; there Postgres, the object
store, Prefect's server and the model listen. Its disk is one in memory, which is empty at each start and hides those
of the others.
""".strip()


def _pid(holder: str) -> int:
    return int(holder.rpartition(":")[2])


if __name__ == "__main__":
    main()
