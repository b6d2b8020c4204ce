"""What JSON says of the values that files hold, and what becomes of those that it cannot say."""

import base64
import datetime
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite
from typing import Any, Final, Literal

from pydantic import JsonValue

Kind = Literal["number", "bytes", "duration"]

LEFT_OUT: Final[Any] = object()
"""Stands for a value that its row, object or array has nothing in the place of."""

_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1f]")
_SHOWN = 10
_SENTENCES: Final[dict[Kind, str]] = {
    "number": "{count} NaN or infinite, the first in {place}: null stands for that",
    "bytes": "{count} bytes, the first in {place}: left out, unless a template names the column, which gets base64",
    "duration": "{count} a duration, the first in {place}: left out, unless a template names the column, which gets "
    "seconds",
}


@dataclass(frozen=True, slots=True)
class Seconds:
    """A duration, of any length."""

    value: float


@dataclass(slots=True)
class _Met:
    place: str
    count: int = 0


@dataclass(slots=True)
class Findings:
    """What a reader meets in a file that JSON cannot say; it keeps `place` where it reads.

    `needed` are the columns that templates name: what can be said of them in another way is not left out.
    """

    needed: frozenset[str] = frozenset()
    place: str = ""
    _met: dict[tuple[str, Kind], _Met] = field(default_factory=dict)

    def stand_in(self, value: object, column: str) -> JsonValue:
        """Return what stands for a value that JSON cannot say, taking note of it."""
        match value:
            case bytes() if (text := _text_of(value)) is not None:
                return text
            case bytes():
                self.note("bytes", column)
                return base64.b64encode(value).decode() if column in self.needed else LEFT_OUT
            case Seconds():
                self.note("duration", column)
                return json_value(value.value, column, self) if column in self.needed else LEFT_OUT
        self.note("number", column)
        return None

    def note(self, kind: Kind, column: str) -> None:
        """Count a value of a column that is not kept as it is."""
        self._met.setdefault((column, kind), _Met(self.place)).count += 1

    def sentences(self) -> Iterator[str]:
        """Say what was met, a sentence a column."""
        for shown, ((column, kind), met) in enumerate(self._met.items()):
            if shown == _SHOWN:
                yield f"{len(self._met) - _SHOWN} more columns have values that JSON cannot say"
                return
            count = "1 value is" if met.count == 1 else f"{met.count:,} values are"
            yield f"column {column!r}: " + _SENTENCES[kind].format(count=count, place=met.place)


def json_value(value: object, column: str, findings: Findings) -> JsonValue:
    """Return a value of a column as JSON says it, dates as ISO text; raises ValueError with the reason if it cannot."""
    match value:
        case None | bool():
            return value
        case str():
            return json_text(value)
        case int() | float() | Decimal():
            return _number(value, column, findings)
        case dict():
            members = ((json_text(str(name)), json_value(member, column, findings)) for name, member in value.items())
            return {name: member for name, member in members if member is not LEFT_OUT}
        case list() | tuple():
            items = (json_value(item, column, findings) for item in value)
            return [item for item in items if item is not LEFT_OUT]
    return _other(value, column, findings)


def _other(value: object, column: str, findings: Findings) -> JsonValue:
    match value:
        case datetime.date() | datetime.time():
            return value.isoformat()
        case uuid.UUID():
            return str(value)
        case datetime.timedelta():
            return findings.stand_in(Seconds(value.total_seconds()), column)
        case bytes() | Seconds():
            return findings.stand_in(value, column)
    raise ValueError(f"a value of type {type(value).__name__} is not JSON")


def json_text(value: str) -> str:
    """Return a text; raises ValueError for half of a surrogate pair, which has no place in UTF-8."""
    if not value.isascii():
        value.encode()
    return value


def _number(value: float | Decimal, column: str, findings: Findings) -> JsonValue:
    if isinstance(value, Decimal):
        value = int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if isfinite(value) else findings.stand_in(value, column)
    if not -(2**63) <= value < 2**64:
        raise ValueError("a number has more than 64 bits; give it as text")
    return value


def _text_of(value: bytes) -> str | None:
    """Return the text that bytes are if old writers have left out saying so."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return None if _UNSEEN.search(text) else text
