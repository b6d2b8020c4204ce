"""`make bench`: the goals of speed, on a running service beside a raw client loop (on Linux).

Both ask a scripted endpoint in a process of its own. `bench.grid` measures other cases.
"""

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import Final

from bench.cases import STEADY, goal_cases
from bench.goals import goals, goals_table
from bench.peers import PROVENANCE, beside_peers
from bench.reliability import verdict
from bench.report import figures, limits, machine, marginals, noise, write
from bench.run import Outcome, measure

HEADING: Final = "The goals: `make bench`"
PICTURE: Final = Path("docs/growth.png")


def main() -> None:
    """Measure, print what came of it, and write it down; exits with 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of the smaller cases")
    parser.add_argument("--write", type=Path, metavar="FILE", help="BENCHMARKS.md, or another such file")
    options = parser.parse_args()
    outcome = measure(goal_cases(options.rounds), STEADY)
    text = report(outcome)
    print(text)
    if options.write:
        write(options.write, HEADING, f"{text}\n{_picture(outcome, options.write.parent)}")
    sys.exit(bool(outcome.failures))


def report(outcome: Outcome) -> str:
    """Return what was measured as Markdown."""
    measured = outcome.measured
    return f"""
The endpoint takes 50 ms for a call, and is asked 128 at a time. {noise(measured)}

{goals_table(goals(measured))}

{verdict(outcome.failures)}

### What was measured

{figures(measured)}

{limits(measured)}

{marginals(measured)}

{machine()}

### Beside other runners

{beside_peers(measured)}

{PROVENANCE}
"""


def _picture(outcome: Outcome, folder: Path) -> str:
    """Draw how time and memory grow; return what shows it."""
    if not importlib.util.find_spec("matplotlib"):
        return "### Growth\n\nNot drawn: matplotlib is not installed (the extra `bench`)."
    from bench.plot import draw_growth

    draw_growth(outcome.measured, folder / PICTURE)
    return f"### Growth\n\n![time, CPU time and memory by the number of samples]({PICTURE})"


if __name__ == "__main__":
    main()
