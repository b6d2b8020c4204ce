"""`python -m bench.printed samples`: another benchmark of this folder, what it prints as a section of BENCHMARKS.md."""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.goals import Goal, goals_table
from bench.report import machine, write

PAGE_WITHIN_MS: Final = 300.0
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
    return [Goal(f"a page filtered {TYPED}, the slowest median", PAGE_WITHIN_MS, slowest_filtered_ms(output), " ms")]


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
        write(options.write, f"{printed.heading}: `python -m bench.{options.name}`", text)
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


def slowest_filtered_ms(output: str) -> float | None:
    """Return the slowest median among the queries by typed columns that have a filter; None if there are none."""
    below = output.partition(f"{TYPED}\n")[2].splitlines()
    medians = []
    for line in below:
        if not line.startswith(" "):
            break
        if "filter[" in line:
            medians.append(float(line.split()[0].replace(",", "")))
    return max(medians, default=None)


if __name__ == "__main__":
    main()
