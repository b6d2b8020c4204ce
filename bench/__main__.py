"""`make bench`: a running service beside a raw client loop, by turns in one run (on Linux).

Both ask a scripted endpoint in a process of its own; figures are medians over the rounds.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.cases import Case
from bench.report import report
from bench.run import Bench, Measured
from cli.serve import service
from core.settings import Settings

SIZES = (1, 2_000)


def main() -> None:
    """Run the cases and print the report."""
    options = _options()
    text = report(_measure(_cases(options), options.latency, options.rounds))
    print(text)
    if options.write:
        options.write.write_text(text + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--n", type=int, nargs="+", default=SIZES, help="numbers of samples")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer")
    parser.add_argument("--concurrency", type=int, default=128, help="calls at a time")
    parser.add_argument("--judge", action=argparse.BooleanOptionalAction, help="only with, or only without a judge")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, metavar="FILE", help="where to write the report besides")
    return parser.parse_args()


def _cases(options: argparse.Namespace) -> list[Case]:
    judges = (False, True) if options.judge is None else (options.judge,)
    return [Case(n, judge, options.latency, options.concurrency) for judge in judges for n in options.n]


def _measure(cases: Sequence[Case], latency_s: float, rounds: int) -> list[Measured]:
    """Measure all cases on a service with a home of its own."""
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder, _endpoint(latency_s) as endpoint:
        home = Path(folder)
        settings = Settings(home=home, port=0, datasets=home / "datasets")
        with service(settings, lambda _: None) as running:
            bench = Bench(running, settings, endpoint)
            return [bench.measure(case) for _ in range(rounds) for case in cases]


@contextmanager
def _endpoint(latency_s: float) -> Iterator[str]:
    """Run the scripted endpoint in a process of its own; yields its URL."""
    command = [sys.executable, "-m", "tests.scripted", "--latency", str(latency_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
