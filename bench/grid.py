"""`python -m bench.grid 50`: every size and concurrency at one latency, with and without a judge.

The latencies are 0 ms, 50 ms, and log-normal around 300 ms. Writes its section of BENCHMARKS.md.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.cases import CONCURRENCIES, LATENCIES, LONGEST_S, SIZES, Case, grid_cases
from bench.reliability import verdict
from bench.report import figures, limits, machine, noise, write
from bench.run import Outcome, measure


def main() -> None:
    """Measure, print what came of it, and write it down; exits with 1 if a case failed."""
    options = _options()
    latency = LATENCIES[options.latency]
    judges = (False, True) if options.judge is None else (options.judge,)
    cases, left_out = grid_cases(latency, options.n, options.concurrency, judges)
    begun = time.monotonic()
    outcome = measure(cases, latency)
    text = report(outcome, left_out, time.monotonic() - begun)
    print(text)
    if options.write:
        write(options.write, f"The grid, {latency.label}: `make bench-{options.latency}`", text)
    sys.exit(bool(outcome.failures))


def report(outcome: Outcome, left_out: Sequence[Case], seconds: float) -> str:
    """Return what was measured, and what was not, as Markdown."""
    absent = "; ".join(f"{case.label} ({case.least_s:.0f} s)" for case in left_out)
    return f"""
{noise(outcome.measured)}

{figures(outcome.measured)}

One round, {seconds:.0f} s in all.

{verdict(outcome.failures)}

Left out, since the endpoint alone takes more than {LONGEST_S:.0f} s: {absent or "nothing"}.

{limits(outcome.measured)}

{machine()}
"""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.grid", description=__doc__)
    parser.add_argument("latency", choices=LATENCIES, help="milliseconds before each answer")
    parser.add_argument("--n", type=int, nargs="+", default=SIZES, help="numbers of samples")
    parser.add_argument("--concurrency", type=int, nargs="+", default=CONCURRENCIES, help="calls at a time")
    parser.add_argument("--judge", action=argparse.BooleanOptionalAction, help="only with, or only without a judge")
    parser.add_argument("--write", type=Path, metavar="FILE", help="BENCHMARKS.md, or another such file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
