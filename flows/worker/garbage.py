"""How often Python looks for garbage in a process that has many objects which stay."""

import atexit
import gc


def collect_seldom() -> None:
    """Leave out what there is by now, Prefect's objects above all, and look less often through what comes.

    In a worker that took 2,000 calls from 0.46 to 0.71 of a bare loop's throughput (medians of a dozen runs).
    """
    gc.freeze()
    atexit.register(gc.unfreeze)  # what Python may not free at its end is reported as leaked, by DuckDB in 48 lines
    gc.set_threshold(20_000, 20, 50)
