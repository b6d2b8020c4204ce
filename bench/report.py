"""What BENCHMARKS.md says: tables of medians, what limited them, and what they were measured on."""

import os
import platform
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

from bench.goals import Reading, cpu_s, marginal_ms, number, peak_mb, ratio, seconds
from bench.reliability import table, write_section
from bench.run import Measured

TITLE: Final = "# Benchmarks\n\nWhat was measured. Each section is written by the command in its heading.\n"
PACKAGES = ("assay-evals", "prefect", "aiohttp", "httpx", "pyarrow")

ENDPOINT_LIMITS_AT: Final = 0.8
SHORTEST_TELLING_S: Final = 0.2
"""CPU time is counted in hundredths of a second."""

COLUMNS: dict[str, Reading] = {
    "create to results, s": seconds,
    "window, s": lambda row: row.served.seconds,
    "raw window, s": lambda row: row.raw.seconds,
    "calls/s": lambda row: row.served.rate,
    "raw calls/s": lambda row: row.raw.rate,
    "x raw": ratio,
    "CPU ms/sample": lambda row: 1e3 * cpu_s(row) / row.case.n,
    "raw CPU ms/call": lambda row: 1e3 * row.raw_cpu_s / row.case.calls,
    "worker peak MB": peak_mb,
    "endpoint, core": lambda row: row.served.endpoint_share,
    "at raw, core": lambda row: row.raw.endpoint_share,
    "others, core": lambda row: row.others,
}


def write(file: Path, heading: str, text: str) -> None:
    """Put a section in the place of the one with its heading, or at the end."""
    if not file.exists():
        file.write_text(TITLE)
    write_section(file, heading, text)


def figures(measured: Sequence[Measured]) -> str:
    """Return the medians of each case's rounds as a Markdown table, with their range."""
    cases = sorted({row.case for row in measured}, key=lambda case: (case.judge, case.n, case.concurrency))
    rows = []
    for case in cases:
        rounds = [row for row in measured if row.case == case]
        rows.append((case.label, *(_cell([figure(row) for row in rounds]) for figure in COLUMNS.values())))
    return table(("case", *COLUMNS), rows)


def limits(measured: Sequence[Measured]) -> str:
    """Return in which cases the endpoint was the limit, and of whom."""
    telling = [row for row in measured if min(row.raw.seconds, row.served.seconds) >= SHORTEST_TELLING_S]
    sides: dict[str, Reading] = {
        "raw loop": lambda row: row.raw.endpoint_share,
        "service": lambda row: row.served.endpoint_share,
    }
    said = []
    for side, share in sides.items():
        limited = dict.fromkeys(row.case.label for row in telling if share(row) >= ENDPOINT_LIMITS_AT)
        said += [f"The endpoint was the limit of the {side} in: {'; '.join(limited)}."] if limited else []
    return "\n".join(said) or f"The endpoint never took {ENDPOINT_LIMITS_AT:.0%} of a core: it was no limit."


def marginals(measured: Sequence[Measured]) -> str:
    """Return by process what a sample more costs, as a Markdown table."""
    processes = list(measured[0].cpu_s) if measured else []
    each = [_cpu_of(name) for name in processes]
    rows = [
        (title, *(_or_dash(marginal_ms(measured, judge, of)) for of in (*each, cpu_s)))
        for title, judge in (("one call a sample", False), ("with a judge, two calls", True))
    ]
    return table(("CPU ms a sample more", *processes, "together"), rows)


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


def noise(measured: Sequence[Measured]) -> str:
    """Return how much other processes did meanwhile."""
    if not measured:
        return ""
    shares = [row.others for row in measured]
    middle, most = median(shares), max(shares)
    return f"Other processes took {middle:.2f} of a core meanwhile (median of the cases; {most:.2f} at most)."


def _cpu_of(process: str) -> Reading:
    return lambda row: row.cpu_s[process]


def _cell(figures: Sequence[float]) -> str:
    middle, low, high = map(number, (median(figures), min(figures), max(figures)))
    return middle if low == high else f"{middle} ({low} to {high})"


def _or_dash(figure: float | None) -> str:
    return "-" if figure is None else number(figure)
