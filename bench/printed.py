"""`python -m bench.printed samples`: another benchmark of this folder, what it prints as a section of BENCHMARKS.md."""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Final

from bench.goals import Goal, goals_table
from bench.pages import LARGE, MANY
from bench.report import machine, write

PAGE_WITHIN_MS: Final = 300.0
OF_JOBS_WITHIN_MS: Final = 150.0
COMPARED_WITHIN_S: Final = 1.0
COMPARED_WITHIN_MB: Final = 300.0


@dataclass(frozen=True)
class Printed:
    """A benchmark that prints its figures."""

    heading: str
    shows: str
    goals: Callable[[str], list[Goal]] = lambda _: []


def goals_of_samples(output: str) -> list[Goal]:
    """Return the goal of pages of samples."""
    slowest = slowest_ms(output, TYPED, lambda line: "filter[" in line)
    return [Goal(f"a page filtered {TYPED}, the slowest median", PAGE_WITHIN_MS, slowest, " ms")]


def goals_of_pages(output: str) -> list[Goal]:
    """Return the goals of the pages for people."""
    return [
        Goal(f"a page {MANY}, the slowest median", OF_JOBS_WITHIN_MS, slowest_ms(output, MANY, column=1), " ms"),
        Goal(f"a page {LARGE}, the slowest median", PAGE_WITHIN_MS, slowest_ms(output, LARGE, column=1), " ms"),
    ]


def goals_of_comparisons(output: str) -> list[Goal]:
    """Return the goals of comparisons, of which the first measured is the one they are about."""
    figures = next((line.split() for line in output.splitlines()[2:]), [])
    cpu, peak = (float(figures[0]), float(figures[2])) if len(figures) > 2 else (None, None)
    return [
        Goal("processor for two equal datasets, one check", COMPARED_WITHIN_S, cpu, " s"),
        Goal("peak of the process that does it", COMPARED_WITHIN_MB, peak, " MB"),
    ]


TYPED: Final = "by typed columns"
PRINTED: Final = {
    "samples": Printed(
        "Pages of one large job", "Pages of 50 of a job's samples, over HTTP, by what is asked.", goals_of_samples
    ),
    "pages": Printed("Pages for people", "The pages of many jobs and of one large job, over HTTP.", goals_of_pages),
    "comparisons": Printed(
        "Large comparisons",
        "Two results held against each other, from their files. `x reading` is beside reading the same columns alone.",
        goals_of_comparisons,
    ),
    "lists": Printed("Lists of many jobs", "Pages of the jobs of two faces, over HTTP, by what is asked."),
    "inputs": Printed("Jobs with many rows", "Reads, where some jobs came with many rows; the API in its own process."),
    "sandbox": Printed("Users' code", "A ten-line evaluator in the sandbox."),
}


def main() -> None:
    """Run it, print what it prints, and write it down; exits as it does."""
    parser = argparse.ArgumentParser(prog="python -m bench.printed", description=__doc__)
    parser.add_argument("name", choices=PRINTED)
    parser.add_argument("--write", type=Path, metavar="FILE", help="BENCHMARKS.md, or another such file")
    options = parser.parse_args()
    begun = time.monotonic()
    command = [sys.executable, "-m", f"bench.{options.name}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    print(done.stdout)
    if options.write:
        printed = PRINTED[options.name]
        text = report(printed, done.stdout, done.returncode, time.monotonic() - begun)
        write(options.write, f"{printed.heading}: `make bench-{options.name}`", text)
    sys.exit(done.returncode)


def report(printed: Printed, output: str, code: int, seconds: float) -> str:
    """Return what was printed as Markdown, with the goal if it has one."""
    goals = printed.goals(output)
    return f"""
{printed.shows}

{goals_table(goals) if goals else ""}

```
{output.rstrip()}
```

{f"FAILED: it ended with {code}. " if code else ""}It took {seconds:.0f} s. {machine()}
"""


def slowest_ms(
    output: str, title: str, is_meant: Callable[[str], bool] = lambda _: True, *, column: int = 0
) -> float | None:
    """Return the slowest median, which is in a column, among the lines below a title; None if there are none."""
    below = output.partition(f"{title}\n")[2].splitlines()
    lines = takewhile(lambda line: line.startswith(" "), below)
    return max((float(line.split()[column].replace(",", "")) for line in lines if is_meant(line)), default=None)


if __name__ == "__main__":
    main()
