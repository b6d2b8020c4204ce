"""Lists go on where a job's results are damaged: that job's own page says so."""

from collections.abc import Callable
from typing import TypeVar

from core.errors import ResultsMissing, SchemaMismatch

T = TypeVar("T")


def listed(read: Callable[[], T]) -> T | None:
    """Return what a list shows of a job's results; None if they cannot be read."""
    try:
        return read()
    except (ResultsMissing, SchemaMismatch):
        return None
