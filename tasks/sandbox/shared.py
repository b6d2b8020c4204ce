"""The sandbox of this process: one warm pool of processes for all its jobs."""

import atexit
import threading
from functools import cache

from tasks.sandbox.contract import Sandbox
from tasks.sandbox.pool import Pool

_lock = threading.Lock()


def sandbox() -> Sandbox:
    """Return the process's sandbox, made and proved on first use; raises Unsupported if it cannot be trusted here."""
    with _lock:
        return _proved()


def check(source: str) -> None:
    """Raise SpecInvalid naming the line and construct of an evaluator that cannot be run."""
    sandbox().check(source)


@cache
def _proved() -> Pool:
    pool = Pool()
    try:
        pool.prove()
    except BaseException:
        pool.close()
        raise
    atexit.register(pool.close)
    return pool
