"""How figures, times and sizes are written on pages."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from core.text import visible

NONE: Final = "–"
KEPT: Final = "\n\t"


def number(value: float | None) -> str:
    """Return a figure of a score."""
    if value is None:
        return NONE
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.1f}"


def signed(value: float | None) -> str:
    """Return a difference of scores, with its sign."""
    return NONE if value is None else f"{value:+.3f}"


def count(value: int | None) -> str:
    """Return a number of things."""
    return NONE if value is None else f"{value:,}"


def money(value: float | None) -> str:
    """Return a price in the currency of the settings; of little the first digits that tell something."""
    if value is None:
        return NONE
    return f"{value:,.2f}" if value >= 1 or not value else f"{value:.2g}" if value < 0.0001 else f"{value:.4f}"


def percent(share: float | None) -> str:
    """Return a share in per cent; one that is not nothing is not called nothing."""
    if share is None:
        return NONE
    if 0 < share < 0.001:
        return "< 0.1 %"
    return f"{100 * share:.3g} %" if share < 0.9995 or share >= 1 else "> 99.9 %"


def duration(seconds: float | None) -> str:
    """Return a time that something took."""
    if seconds is None:
        return NONE
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def moment(time: datetime | None) -> str:
    """Return a time, in UTC, to the minute."""
    return NONE if time is None else f"{_utc(time):%Y-%m-%d %H:%M}"


def iso(time: datetime) -> str:
    """Return a time for machines."""
    return _utc(time).isoformat()


def rate(value: float) -> str:
    """Return how many of something come in a time."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def size(length: int) -> str:
    """Return a number of bytes."""
    for unit, least in (("MB", 1_000_000), ("kB", 1_000)):
        if length >= least:
            return f"{length / least:.1f} {unit}"
    return f"{length} B"


def seen(value: str) -> str:
    """Return a text of a stranger in which nothing hides: what cannot be seen is written as an escape."""
    return visible(value, keep=KEPT)


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    each.__name__: each for each in (number, signed, count, money, percent, duration, moment, iso, rate, size, seen)
}
