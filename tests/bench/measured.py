"""Measurements made up for the tests of what is said about them."""

from bench.cases import EQUAL_SHARDS, LARGE, SMALL, Case
from bench.run import Measured, Window


def measured(n: int, judge: bool = False, *, seconds: float = 1.0, endpoint_cpu_s: float = 0.1) -> Measured:
    """Return a round that costs 0.4 ms a sample in the worker and 0.1 s in Prefect, and 1 KB of memory a sample."""
    case = Case(n, judge)
    return Measured(
        case=case,
        raw=Window(case.calls, 0.8, endpoint_cpu_s),
        raw_cpu_s=0.2,
        served=Window(case.calls, 1.0, endpoint_cpu_s),
        seconds=seconds,
        cpu_s={"worker": 4e-4 * n, "prefect": 0.1},
        peak_mb=200 + n / 1000,
        others=0.25,
    )


ALL = [measured(n, judge) for n in (1, SMALL, EQUAL_SHARDS, LARGE) for judge in (False, True)]
