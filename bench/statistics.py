"""`python -m bench.statistics`: how often intervals, tests and plans are right, and their section of RELIABILITY.md.

Checks are added up exactly; the rest is drawn at random, by a seed, so that a run of the same seed finds the same.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import comb, exp, lgamma, log, sqrt
from pathlib import Path
from random import Random
from time import process_time
from typing import Final

from bench.reliability import table, verdict, write_section
from bench.report import machine
from core.planning import Aim, Noise, plan
from core.stats.difference import Pairs, compared
from core.stats.interval import SHARE, ScoreScale
from core.stats.mean import estimated_mean
from core.stats.units import Rows
from core.stats.verdict import verdict as called

HEADING: Final = "Statistics: `make stats-test`"
GRADES: Final = ScoreScale(1.0, 5.0)
CHANCE: Final = 3.0
"""Standard errors of the simulation that a share may lie beyond what is allowed."""

Draw = Callable[[Random], bool]


@dataclass(frozen=True)
class Cell:
    """A case: what is counted in so many runs (none: it is added up), and the share, in percent, that it may be."""

    what: str
    low: float
    high: float
    draw: Draw | None = None
    share: float = 0.0


@dataclass(frozen=True)
class Found:
    """What a case came to, as a share in percent, and how sure that is."""

    cell: Cell
    runs: int
    share: float

    @property
    def is_right(self) -> bool:
        """Whether it is what is allowed, but for the chance of the simulation."""
        share = min(max(self.share / 100, 0.5 / max(1, self.runs)), 1 - 0.5 / max(1, self.runs))
        slack = CHANCE * 100 * sqrt(share * (1 - share) / self.runs) if self.runs else 0.05
        return self.cell.low - slack <= self.share <= self.cell.high + slack

    @property
    def row(self) -> tuple[str, ...]:
        """The case as a row of a table."""
        runs = f"{self.runs:,}" if self.runs else "exact"
        return self.cell.what, runs, f"{self.share:.1f} %", f"{self.cell.low:g} to {self.cell.high:g} %"


def main() -> None:
    """Count, print what came of it, and exit 1 if anything is right less often than it says."""
    options = _options()
    begun = process_time()
    found = [_count(cell, options.runs, options.seed) for cell in cells()]
    text = report(found, same_bits(options.seed), options.seed, process_time() - begun)
    print(text)
    if options.write:
        write_section(options.write, HEADING, text)
    sys.exit("FAILED" in text)


def cells() -> Iterator[Cell]:
    """Yield the cases."""
    for n, shares in ((30, (97.8, 95.7, 97.4)), (100, (94.9, 94.3, 93.6)), (1000, (94.7, 94.6, 94.9))):
        for p, known in zip((0.02, 0.5, 0.9), shares, strict=True):
            what = f"interval of checks, n = {n:,}, {p:g} pass"
            yield Cell(what, known, known, share=100 * coverage_of_checks(n, p))
    for name, grade in GRADED.items():
        for n in (100, 300):
            yield Cell(f"interval of grades, {name}, n = {n}", 93, 97, covers_grades(grade, n))
    yield Cell("30 clusters of 10, correlation .1, .7 pass", 93, 97, covers_clusters([10] * 30, 0.7, 0.1))
    yield Cell("30 clusters of 10, correlation .5, .7 pass", 93, 97, covers_clusters([10] * 30, 0.7, 0.5))
    yield Cell("100 clusters of 1 to 50, correlation .1, .9 pass", 93, 97, covers_clusters(_uneven(100), 0.9, 0.1))
    yield Cell("the mean of 3 trials of 100 samples", 93, 97, covers_clusters([3] * 100, 0.7, 0.4, clustered=False))
    for n, changed, least in ((100, 0.2, 4.0), (300, 0.1, 4.0), (100, 0.05, 0.0)):
        what = f"a difference where there is none, {n} pairs, {changed:g} change"
        yield Cell(what, least, 5.5, differs(n, changed, 0.0))
    yield Cell("the same of grades, 60 pairs", 4, 6, grades_differ(60))
    for noise, mde in ((Noise(changed=0.3), 0.1), (Noise(changed=0.1), 0.05), (Noise(passing=0.6), 0.15)):
        n = plan(noise, Aim(mde=mde)).samples
        changed = noise.at(mde) ** 2 + mde * mde
        what = f"the planned {n} pairs find {mde:g}, where {changed:.2g} change"
        yield Cell(what, 78, 82, differs(n, changed, mde))


def coverage_of_checks(n: int, p: float) -> float:
    """Return the chance that the interval of `n` checks of which `p` pass has that in it, added up over what passes."""
    total = 0.0
    for passed in range(n + 1):
        interval = estimated_mean(Rows([1.0] * passed + [0.0] * (n - passed)), SHARE).interval
        assert interval.low is not None
        assert interval.high is not None
        if interval.low <= p <= interval.high:
            total += _mass(passed, n, p)
    return total


def _mass(passed: int, n: int, p: float) -> float:
    if n <= 100:
        return comb(n, passed) * p**passed * (1 - p) ** (n - passed)
    ways = lgamma(n + 1) - lgamma(passed + 1) - lgamma(n - passed + 1)
    return exp(ways + passed * log(p) + (n - passed) * log(1 - p))


Grade = tuple[Callable[[Random], float], ScoreScale, float]
"""A distribution of grades: how one is drawn, on which scale, and the mean of them."""

GRADED: Final[dict[str, Grade]] = {
    "70 % fives of 1 to 5": (
        lambda r: 5.0 if r.random() < 0.7 else float(r.randint(1, 4)),
        GRADES,
        0.7 * 5 + 0.3 * 2.5,
    ),
    "90 % ones, the rest between": (lambda r: 1.0 if r.random() < 0.9 else r.random(), SHARE, 0.95),
    "evenly from 0 to 1": (lambda r: r.random(), SHARE, 0.5),
}


def covers_grades(grade: Grade, n: int) -> Draw:
    """Return what draws `n` grades, and tells whether their interval has the mean in it."""
    one, scale, mean = grade
    return lambda chance: _covers(Rows([one(chance) for _ in range(n)]), scale, mean)


def covers_clusters(sizes: Sequence[int], p: float, correlation: float, *, clustered: bool = True) -> Draw:
    """Return what draws checks of clusters that are so alike, and tells whether their interval has the mean in it.

    Each cluster's chance to pass is of a beta distribution of that mean and that correlation.
    """
    strength = (1 - correlation) / correlation

    def draw(chance: Random) -> bool:
        passing = [chance.betavariate(p * strength, (1 - p) * strength) for _ in sizes]
        units = [unit for unit, size in enumerate(sizes) for _ in range(size)]
        values = [float(chance.random() < passing[unit]) for unit in units]
        return _covers(Rows(values, units, clustered=clustered), SHARE, p)

    return draw


def differs(n: int, changed: float, difference: float) -> Draw:
    """Return what draws pairs of checks of which so many change, and tells whether a verdict finds a difference."""
    up = (changed + difference) / 2

    def draw(chance: Random) -> bool:
        turns = [chance.random() for _ in range(n)]
        sides = [(0.0, 1.0) if turn < up else (1.0, 0.0) if turn < changed else (1.0, 1.0) for turn in turns]
        return _is_found([a for a, _ in sides], [b for _, b in sides], SHARE)

    return draw


def grades_differ(n: int) -> Draw:
    """Return what draws pairs of grades that do not differ, and tells whether a verdict finds a difference."""

    def draw(chance: Random) -> bool:
        hard = [chance.random() for _ in range(n)]
        baseline, candidate = ([min(1.0, each * (0.5 + chance.random())) for each in hard] for _ in range(2))
        return _is_found(baseline, candidate, SHARE)

    return draw


def same_bits(seed: int, times: int = 200) -> int:
    """Return how many of so many shuffles of the rows change any bit of an interval or of a comparison."""
    chance = Random(f"{seed}/order")
    rows = [(chance.random(), chance.random(), chance.randrange(12), chance.choice([0.5, 1.0, 3.0])) for _ in range(99)]
    first, changed = _figures(rows), 0
    for _ in range(times):
        chance.shuffle(rows)
        changed += _figures(rows) != first
    return changed


def report(found: Sequence[Found], reordered: int, seed: int, seconds: float) -> str:
    """Return what was found as Markdown."""
    failures = [f"{each.cell.what}: {each.share:.1f} %" for each in found if not each.is_right]
    failures += [f"{reordered} orders of the same rows gave other bits"] if reordered else []
    return f"""
How often an interval of 95 % has the truth in it, how often a comparison finds a difference, and how often a planned
one finds what it was planned for; seed {seed}, {seconds:.0f} s of the processor. A share may lie {CHANCE:g} standard
errors of the simulation beyond what is allowed.

{table(("", "runs", "found", "allowed"), [each.row for each in found])}

Of 200 orders of the same rows {reordered} change a bit of an interval, a difference, a p-value or a verdict.

{verdict(failures)}

{machine()}
"""


def _count(cell: Cell, runs: int, seed: int) -> Found:
    if cell.draw is None:
        return Found(cell, 0, cell.share)
    chance = Random(f"{seed}/{cell.what}")
    return Found(cell, runs, 100 * sum(cell.draw(chance) for _ in range(runs)) / runs)


def _covers(rows: Rows, scale: ScoreScale, mean: float) -> bool:
    interval = estimated_mean(rows, scale).interval
    return interval.low is not None and interval.high is not None and interval.low <= mean <= interval.high


def _is_found(baseline: Sequence[float], candidate: Sequence[float], scale: ScoreScale) -> bool:
    found = compared(Pairs(baseline, candidate), scale, margin=0.02)
    assert found is not None
    return called(found, found.p_value, found.p_equivalence, margin=0.02).word in ("better", "worse")


def _figures(rows: Sequence[tuple[float, float, int, float]]) -> object:
    first, second, units, weights = map(list, zip(*rows, strict=True))
    found = compared(Pairs(first, second, units, weights, clustered=True), SHARE, margin=0.02)
    return estimated_mean(Rows(first, units, weights, clustered=True), SHARE), found


def _uneven(clusters: int) -> list[int]:
    chance = Random("sizes")
    return [chance.randint(1, 50) for _ in range(clusters)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.statistics", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="of each case that is drawn at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, metavar="FILE", help="RELIABILITY.md, or another such file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
