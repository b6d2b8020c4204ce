"""A call as a flat row, the shape in which both journals and Parquet files hold it."""

from collections.abc import Sequence
from typing import Any

from core.result import Call, CallKey, Usage


def call_row(call: Call) -> list[Any]:
    """Return the call's fields in the order of the `calls` table."""
    usage = call.usage
    return [
        *call.key,
        call.outcome,
        call.request,
        call.response,
        call.status,
        call.error,
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.total_tokens,
        call.started_at,
        call.seconds,
        call.attempts,
    ]


def call_of(row: Sequence[Any]) -> Call:
    """Return the call that `call_row` made `row` of."""
    fields: list[Any] = [CallKey(*row[:7]), *row[7:12], Usage(*row[12:15]), *row[15:]]
    return Call(*fields)


def well_formed(value: Any) -> Any:
    """Replace a text's lone surrogates, which UTF-8 cannot hold, by U+FFFD; leave other values alone."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value
