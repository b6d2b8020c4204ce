"""A call as a flat row, the shape in which both journals and Parquet files hold it."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

from core.errors import SchemaMismatch
from core.result import Call, CallKey, Usage
from store.results.columns import columns_of

KEY_END: Final = len(CallKey._fields)
USAGE: Final = KEY_END + list(Call.__slots__).index("usage") - 1
USAGE_END: Final = USAGE + len(Usage.__slots__)

COLUMNS: Final = tuple(columns_of(Call))

call_row: Final[Callable[[Call], tuple[Any, ...]]] = attrgetter(*(column.path for column in COLUMNS))
"""Return the call's fields in the order of the `calls` table."""


def call_of(row: Sequence[Any]) -> Call:
    """Return the call that `call_row` made `row` of; that of an older release is shorter.

    Raises SchemaMismatch for a row of a newer release.
    """
    if len(row) > len(COLUMNS):
        raise SchemaMismatch(
            f"a call has {len(row)} fields, this release reads up to {len(COLUMNS)}: use a newer Assay"
        )
    fields: list[Any] = [CallKey(*row[:KEY_END]), *row[KEY_END:USAGE], Usage(*row[USAGE:USAGE_END]), *row[USAGE_END:]]
    return Call(*fields)
