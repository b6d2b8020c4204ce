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

FIELDS: Final = tuple(columns_of(Call))
COLUMNS: Final = tuple(sorted(FIELDS, key=lambda column: column.since))
"""The fields in the order in which they were added, so that the row of an older release is the beginning of one."""

_PLACES: Final = tuple(COLUMNS.index(column) for column in FIELDS)

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
    whole = [*row, *[None] * (len(COLUMNS) - len(row))]
    row = [whole[place] for place in _PLACES]
    fields: list[Any] = [CallKey(*row[:KEY_END]), *row[KEY_END:USAGE], Usage(*row[USAGE:USAGE_END]), *row[USAGE_END:]]
    return Call(*fields)
