"""The goals of speed, and whether what was measured meets them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.cases import EQUAL_SHARDS, LARGE, SMALL
from bench.reliability import table
from bench.run import Measured

MOST_GROWTH_MB: Final = 10.0
"""What an allocator's mood makes of the same work."""


Reading = Callable[[Measured], float]


def seconds(row: Measured) -> float:
    """From the creation of the job to its results."""
    return row.seconds


def ratio(row: Measured) -> float:
    """Calls a second, against the raw loop's."""
    return row.served.rate / row.raw.rate


def cpu_s(row: Measured) -> float:
    """Of all processes of the service."""
    return sum(row.cpu_s.values())


def peak_mb(row: Measured) -> float:
    """Of the worker."""
    return row.peak_mb


@dataclass(frozen=True)
class Goal:
    """A goal, and the figure that was measured; None if it could not be."""

    what: str
    limit: float
    figure: float | None
    unit: str = ""
    at_least: bool = False

    @property
    def missed_by(self) -> float:
        """How far the figure lies beyond the limit; 0 or less if the goal is met."""
        if self.figure is None:
            return float("inf")
        return self.limit - self.figure if self.at_least else self.figure - self.limit

    @property
    def verdict(self) -> str:
        """Whether the goal is met, and if not by how much."""
        if self.figure is None:
            return "not measured"
        if self.missed_by <= 0:
            return "met"
        return f"**missed by {number(self.missed_by)}{self.unit} ({self.missed_by / self.limit:.0%})**"

    @property
    def row(self) -> tuple[str, str, str, str]:
        """The goal as a row of a table."""
        figure = "-" if self.figure is None else f"{number(self.figure)}{self.unit}"
        return self.what, f"{'>=' if self.at_least else '<='} {self.limit:g}{self.unit}", figure, self.verdict


def goals(measured: Sequence[Measured]) -> list[Goal]:
    """Return the goals with what was measured at 50 ms and 128 calls at a time."""
    peaks = [middle(measured, peak_mb, LARGE, judge) for judge in (False, True)]
    growths = [growth(measured, peak_mb, (EQUAL_SHARDS, LARGE), judge) for judge in (False, True)]
    return [
        Goal(f"calls/s in the window, N = {SMALL:,}, x raw loop", 0.8, middle(measured, ratio, SMALL), at_least=True),
        Goal(f"create to results, N = {SMALL:,}", 2.5, middle(measured, seconds, SMALL), " s"),
        Goal("create to results, the same with a judge", 4.0, middle(measured, seconds, SMALL, judge=True), " s"),
        Goal("create to results, N = 1", 2.0, middle(measured, seconds, 1), " s"),
        Goal(f"CPU a sample more, N = {SMALL:,} to {LARGE:,}, all processes", 0.5, marginal_ms(measured), " ms"),
        Goal(f"worker's peak at N = {LARGE:,}, with a judge or without", 250.0, _most(peaks), " MB"),
        Goal(f"its growth from N = {EQUAL_SHARDS:,}, whose shards are equal", MOST_GROWTH_MB, _most(growths), " MB"),
    ]


def goals_table(found: Sequence[Goal]) -> str:
    """Return the goals as a Markdown table."""
    return table(("goal", "limit", "measured", ""), [goal.row for goal in found])


def middle(measured: Sequence[Measured], of: Reading, n: int, judge: bool = False) -> float | None:
    """Return the median of a figure over the rounds of a case; None if there are none."""
    figures = [of(row) for row in measured if (row.case.n, row.case.judge) == (n, judge)]
    return median(figures) if figures else None


def growth(measured: Sequence[Measured], of: Reading, sizes: tuple[int, int], judge: bool = False) -> float | None:
    """Return how much a figure grows from one size to another."""
    small, large = (middle(measured, of, n, judge) for n in sizes)
    return None if small is None or large is None else large - small


def marginal_ms(measured: Sequence[Measured], judge: bool = False, of: Reading = cpu_s) -> float | None:
    """Return the milliseconds of CPU time that each sample beyond the small case takes."""
    more_s = growth(measured, of, (SMALL, LARGE), judge)
    return None if more_s is None else 1e3 * more_s / (LARGE - SMALL)


def number(figure: float) -> str:
    """Return a figure in three digits or so."""
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.2f}"


def _most(figures: Sequence[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return max(known) if len(known) == len(figures) else None
