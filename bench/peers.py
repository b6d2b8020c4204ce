"""What other runners took for the same work: figures that were measured elsewhere, to be beaten."""

from collections.abc import Sequence
from typing import Final

from bench.cases import LARGE, SMALL
from bench.goals import growth, marginal_ms, middle, number, peak_mb, seconds
from bench.reliability import table
from bench.run import Measured

PROVENANCE: Final = f"""\
**Not measured in this run.** The figures of the other runners are medians of 21 and 22 November 2026, from another
machine of two AMD EPYC cores (shared, Linux 6.18, Python 3.12), each asking an endpoint on loopback for {SMALL:,} short
answers with 128 calls at a time, at 50 ms. Their CPU time is firm to 10 to 20 %, their time by up to twice. Theirs is
from the start of a process to its end; ours from the creation of a job to its results, on a service that runs. What
they have at N = {LARGE:,} and what a sample more costs them was measured at 0 ms, ours at 50 ms. Memory is that of the
runner's process, and here of the worker."""

COLUMNS: Final = (
    "runner",
    "s, one call",
    "calls/s in the window",
    "s, with a judge",
    "s, N = 1",
    "CPU ms a sample more",
    "peak MB, N = 20,000",
    "growth KB a sample",
)

PEERS: Final = (
    ("inspect_ai 0.3.285", "59.5", "39.8", "70.4", "6.01", "29.4", "554", "18.7"),
    ("lm_eval 0.4.13", "18.5", "1,847", "-", "12.1", "2.57", "473", "11.1"),
    ("promptfoo 0.123.1", "30.5", "105", "36.5", "2.00", "10.3", "1,512", "61"),
    ("deepeval 4.3.1", "14.2", "351", "89.5", "2.02", "6.1", "259", "8.1"),
    ("nemo-evaluator 0.3.0", "6.60", "457", "16.8", "1.43", "2.3", "206", "6.5"),
)


def beside_peers(measured: Sequence[Measured]) -> str:
    """Return our figures above those of the others as a Markdown table."""
    grown_mb = growth(measured, peak_mb, (SMALL, LARGE))
    ours = (
        middle(measured, seconds, SMALL),
        middle(measured, lambda row: row.served.rate, SMALL),
        middle(measured, seconds, SMALL, judge=True),
        middle(measured, seconds, 1),
        marginal_ms(measured),
        middle(measured, peak_mb, LARGE),
        None if grown_mb is None else 1e3 * grown_mb / (LARGE - SMALL),
    )
    cells = ("-" if figure is None else number(figure) for figure in ours)
    return table(COLUMNS, [("**this service**", *cells), *PEERS])
