"""Lists go on where what is stored of a job is damaged: that job's own page says so."""

from collections.abc import Callable
from typing import Final, TypeVar

from core.errors import RecordDamaged, ResultsMissing, SchemaMismatch

T = TypeVar("T")

UNREADABLE: Final = (RecordDamaged, ResultsMissing, SchemaMismatch)
"""The errors of what is stored, which stay until somebody mends it."""


def listed(read: Callable[[], T]) -> T | None:
    """Return what a list shows of a job's results; None if they cannot be read."""
    try:
        return read()
    except UNREADABLE:
        return None
