"""`make bench-workers`: the calls a second of one worker and of two, beside as many raw loops (on Linux).

One worker is given calls that are answered at once, then one and two are given more of 50 ms than they can make. Writes
its section of BENCHMARKS.md.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench.cases import AT_ONCE, STEADY, Case
from bench.goals import Goal, goals_table, number, ratio
from bench.reliability import table, verdict
from bench.report import limits, machine, noise, write
from bench.run import Measured, measure

HEADING: Final = "Workers: `make bench-workers`"
JOBS: Final = 4
SAMPLES: Final = 8_000
LEAST_RATE: Final = 5_000.0
LEAST_FACTOR: Final = 1.6


@dataclass(frozen=True)
class Load:
    """What so many workers are given to do."""

    workers: int
    case: Case

    @property
    def label(self) -> str:
        """The load in words."""
        return f"{self.workers} worker{'s' if self.workers > 1 else ''}, {self.case.label}"


@dataclass(frozen=True)
class Found:
    """The rounds of a load."""

    load: Load
    rounds: Sequence[Measured]

    def middle(self, of: Callable[[Measured], float]) -> float | None:
        """Return the median of a figure; None if all rounds failed."""
        return median(map(of, self.rounds)) if self.rounds else None

    @property
    def rate(self) -> float | None:
        """The calls a second that the endpoint saw."""
        return self.middle(lambda row: row.served.rate)


def loads(samples: int) -> tuple[Load, Load, Load]:
    """Return one worker with nothing to wait for, and one and two with jobs of so many samples that wait."""
    at_once, waiting = Case(JOBS * samples, False, AT_ONCE), Case(samples, False, STEADY, jobs=JOBS)
    return Load(1, at_once), Load(1, waiting), Load(2, waiting)


def main() -> None:
    """Measure, print what came of it, and write it down; exits with 1 if a load failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.workers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--samples", type=int, default=SAMPLES, help="of each of the jobs that wait")
    parser.add_argument("--write", type=Path, metavar="FILE", help="BENCHMARKS.md, or another such file")
    options = parser.parse_args()
    found, failures = [], []
    for load in loads(options.samples):
        outcome = measure([load.case] * options.rounds, load.case.latency, load.workers)
        found.append(Found(load, outcome.measured))
        failures += [f"{load.label}: {failure}" for failure in outcome.failures]
    text = report(found, failures)
    print(text)
    if options.write:
        write(options.write, HEADING, text)
    sys.exit(bool(failures))


def report(found: Sequence[Found], failures: Sequence[str]) -> str:
    """Return what was measured as Markdown."""
    rows = [row for each in found for row in each.rounds]
    columns = ("load", "calls/s", "raw calls/s", "x raw", *COSTS, "all", f"{os.cpu_count()} cores hold, calls/s")
    return f"""
Each worker is asked for more than it can make. There are as many raw loops as workers, which share the same calls.
{noise(rows)}

{goals_table(goals(*found))}

{verdict(failures)}

{table(columns, _cells(found))}

The milliseconds are of CPU time a call, of the jobs' beginnings and ends too. What the cores *hold* is so many calls a
second as take all of them: the endpoint, the API and Prefect are on the same ones as the workers.

{limits(rows)}

{machine()}
"""


def goals(at_once: Found, one: Found, two: Found) -> list[Goal]:
    """Return the goals: what one worker makes, and how much more two do."""
    factor = two.rate / one.rate if one.rate and two.rate else None
    return [
        Goal("calls/s of one worker that never waits", LEAST_RATE, at_once.rate, at_least=True),
        Goal("calls/s of two workers at 50 ms, x one worker", LEAST_FACTOR, factor, at_least=True),
    ]


def _of(process: str) -> Callable[[Measured], float]:
    """Return what reads the milliseconds a call of the processes whose names begin so."""
    return lambda row: 1e3 * sum(s for name, s in row.cpu_s.items() if name.startswith(process)) / row.case.calls


COSTS: Final[Mapping[str, Callable[[Measured], float]]] = {
    "workers, ms": _of("worker"),
    "Prefect": _of("prefect"),
    "API": _of("api"),
    "endpoint": lambda row: 1e3 * row.served.endpoint_cpu_s / row.case.calls,
}


def cost_ms(row: Measured) -> float:
    """Return the milliseconds of CPU time that a call takes of all processes."""
    return sum(cost(row) for cost in COSTS.values())


def held(row: Measured) -> float:
    """Return the calls a second that take all cores of the machine."""
    return 1e3 * (os.cpu_count() or 1) / cost_ms(row)


def _cells(found: Sequence[Found]) -> Iterator[tuple[str, ...]]:
    readings = (lambda row: row.served.rate, lambda row: row.raw.rate, ratio, *COSTS.values(), cost_ms, held)
    for each in found:
        figures = (each.middle(reading) for reading in readings)
        yield each.load.label, *("-" if figure is None else number(figure) for figure in figures)


if __name__ == "__main__":
    main()
