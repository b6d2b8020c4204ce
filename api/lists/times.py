"""Times in query strings: what an operator and a date or time mean together."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple

Operator = Literal["eq", "neq", "gt", "gte", "lt", "lte"]

TICK = timedelta(microseconds=1)


class Moments(NamedTuple):
    """The times from `start` (inclusive) to `stop` (exclusive), or those outside; `shown` is what was given."""

    start: datetime | None
    stop: datetime | None
    outside: bool
    shown: str


def moments(operator: Operator, text: str) -> Moments:
    """Return what a comparison with an ISO date or time selects; a time without a zone is UTC.

    A date alone is its midnight. But equal to it is the whole day, and `lte` includes the whole day.
    Raises ValueError for what is neither date nor time.
    """
    first, last = _span(text)
    match operator:
        case "eq" | "neq":
            return Moments(first, _next(last), operator == "neq", first.isoformat())
        case "gte":
            return Moments(first, None, False, first.isoformat())
        case "gt":
            return Moments(_next(first) or first, None, False, first.isoformat())
        case "lt":
            return Moments(None, first, False, first.isoformat())
        case "lte":
            return Moments(None, _next(last), False, last.isoformat())


def _span(text: str) -> tuple[datetime, datetime]:
    """Return the first and the last time that a text means."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return (moment := _moment(text)), moment
    return datetime.combine(day, time.min), datetime.combine(day, time.max)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no ISO date or time; write 2025-03-18 or 2025-03-18T10:00:00") from None


def _next(moment: datetime) -> datetime | None:
    """Return the time after one; None if there is none."""
    try:
        return moment + TICK
    except OverflowError:
        return None
