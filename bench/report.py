"""The bench's report: a table of medians, and what they were measured on."""

import os
import platform
from collections.abc import Callable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench.run import Measured

PACKAGES = ("assay-evals", "prefect", "aiohttp", "httpx", "pyarrow")

COLUMNS: dict[str, Callable[[Measured], float]] = {
    "create to results, s": lambda row: row.seconds,
    "window, s": lambda row: row.served.seconds,
    "raw window, s": lambda row: row.raw.seconds,
    "calls/s": lambda row: row.served.rate,
    "raw calls/s": lambda row: row.raw.rate,
    "x raw": lambda row: row.served.rate / row.raw.rate,
    "CPU ms/sample": lambda row: 1e3 * row.cpu_s / row.case.n,
    "worker peak MB": lambda row: row.peak_mb,
}


def report(measured: Sequence[Measured]) -> str:
    """Return the medians of each case's rounds as a Markdown table, with their range, and the machine."""
    lines = ["| case | " + " | ".join(COLUMNS) + " |", "|---|" + "---|" * len(COLUMNS)]
    for case in dict.fromkeys(row.case for row in measured):
        rounds = [row for row in measured if row.case == case]
        cells = [_cell([figure(row) for row in rounds]) for figure in COLUMNS.values()]
        lines.append(f"| {case.label} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", machine()])


def machine() -> str:
    """Return what the figures were measured on, and when."""
    cpu = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        "?",
    )
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{date.today()}, {os.cpu_count()} cores ({cpu}), Linux {platform.release()}, "  # noqa: DTZ011 - the user's day
        f"Python {platform.python_version()}, {versions}"
    )


def _cell(figures: Sequence[float]) -> str:
    middle, low, high = map(_short, (median(figures), min(figures), max(figures)))
    return middle if low == high else f"{middle} ({low}-{high})"


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.2f}"
