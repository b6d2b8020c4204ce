"""How time and memory grow with the number of samples, as a picture; needs the extra `bench`."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from matplotlib.figure import Figure

from bench.goals import Reading, cpu_s, peak_mb, seconds
from bench.run import Measured

Line = tuple[str, str, bool, Reading]

BLUE: Final = "#0b62a4"
ORANGE: Final = "#c8561b"
TIMES: Final[tuple[Line, ...]] = (
    ("create to results", BLUE, False, seconds),
    ("create to results, with a judge", ORANGE, True, seconds),
    ("raw loop's window", BLUE, False, lambda row: row.raw.seconds),
    ("raw loop's window, twice the calls", ORANGE, True, lambda row: row.raw.seconds),
)
CPU: Final[tuple[Line, ...]] = (
    ("all processes", BLUE, False, cpu_s),
    ("all processes, with a judge", ORANGE, True, cpu_s),
)
PEAKS: Final[tuple[Line, ...]] = (
    ("worker", BLUE, False, peak_mb),
    ("worker, with a judge", ORANGE, True, peak_mb),
)


def draw_growth(measured: Sequence[Measured], file: Path) -> None:
    """Draw the medians of each number of samples."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    panels = (("Time", "seconds", TIMES), ("CPU time, idle subtracted", "seconds", CPU), ("Peak memory", "MB", PEAKS))
    for axis, (title, unit, lines) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        for label, colour, judge, of in lines:
            sizes, values = _points([row for row in measured if row.case.judge == judge], of)
            style = ":" if "raw" in label else "-"
            axis.plot(sizes, values, label=label, color=colour, marker="o", linestyle=style)
        axis.set(title=title, xlabel="samples", ylabel=unit, xlim=0)
        axis.set_ylim(0, 1.1 * axis.get_ylim()[1])
        axis.xaxis.set_major_formatter("{x:,.0f}")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.suptitle("Growth with the number of samples, 50 ms a call, 128 calls at a time")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)


def _points(rows: Sequence[Measured], of: Reading) -> tuple[list[int], list[float]]:
    sizes = sorted({row.case.n for row in rows})
    return sizes, [median(of(row) for row in rows if row.case.n == n) for n in sizes]
