"""How long to wait before an endpoint is asked again: what it asks for, in whatever form; no I/O."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from tasks.endpoint.complaint import quoted

BACKOFF_BASE_S: Final = 0.5
BACKOFF_CAP_S: Final = 30.0

TOO_MANY_REQUESTS: Final = 429
_READ: Final = 2000
"""So many characters of what an error says are looked at."""

_DURATION: Final = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)(ms|[smhd])")
_DELAYS: Final = (
    *("retry_after", "retry_after_seconds", "retryAfter", "retryAfterSeconds", "retry_after_s", "retry-after"),
    *("retry_after_ms", "retryAfterMs", "retry-after-ms", "estimated_time"),
)
"""The last is how long Hugging Face takes to load a model."""

_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WORDS_S: Final = {"millisecond": 0.001, "second": 1.0, "sec": 1.0, "minute": 60.0, "min": 60.0, "hour": 3600.0}
_SAID_S: Final = {**_UNITS_S, **_WORDS_S, "hr": 3600.0}
_PART: Final = rf"(\d{{1,9}}(?:\.\d{{1,9}})?) ?({'|'.join(sorted(_SAID_S, key=len, reverse=True))})s?(?![a-z])"
_PARTS: Final = re.compile(_PART, re.IGNORECASE)
_SAID: Final = re.compile(
    r"(?:(?:try|retry|again)(?: your request)?(?: again)?[ -](?:in|after)|\bwait(?: for)?(?: at least)?(?: another)?)"
    rf"(?: about|:)? ({_PART}(?:(?:,? and|,)? ?{_PART})*)",
    re.IGNORECASE,
)
_RESET: Final = re.compile(r"(?:x-)?(?:anthropic-)?rate-?limit-(?:.*-)?reset(?:-.*)?")
_SECONDS_OF_2001: Final = 1e9
"""A larger number is a moment, in seconds since 1970; a thousand times larger, in milliseconds."""


def backoff_s(retry: int, draw: float) -> float:
    """Return the wait before retry number `retry` (from 1): full jitter, `draw` being uniform in 0..1."""
    return draw * min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0 ** (retry - 1))


def pause_s(status: int, headers: Mapping[str, str], answer: Any, now: float) -> float | None:
    """Return the seconds for which an endpoint asks to be left alone at Unix time `now`, if it says so.

    That is what it asks for in so many words, in a header or in the body; else, of one that is asked too often, the
    last of the moments at which its limits are reset.
    """
    asked = retry_after_s(headers, now)
    if asked is None:
        asked = _in_body(answer, now)
    if asked is None and status == TOO_MANY_REQUESTS:
        asked = _reset_s(headers, now)
    return asked


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds in `retry-after-ms`, or in `Retry-After` as a number, a duration or a date."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return _until(headers.get("retry-after", ""), now)


def _reset_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds to the last reset; of the limits that have nothing left, if any has nothing."""
    resets = {name.lower(): value for name, value in headers.items() if _RESET.fullmatch(name.lower())}
    spent = {
        name: value
        for name, value in resets.items()
        if headers.get(name.replace("reset", "remaining"), "").strip() in ("0", "0.0")
    }
    waits = [wait for value in (spent or resets).values() if (wait := _until(value, now)) is not None]
    return max(waits, default=None)


def _in_body(answer: Any, now: float) -> float | None:
    """Return the seconds that an error asks for: Google's RetryInfo, OpenRouter's headers, a field, or words."""
    if isinstance(answer, list):
        answer = next((each for each in answer if isinstance(each, dict)), None)
    error = answer.get("error") if isinstance(answer, dict) else None
    detail = answer.get("detail") if isinstance(answer, dict) else None
    for place in (error, detail, answer):
        for value, unit in _delays(place) if isinstance(place, dict) else ():
            if (wait := _until(str(value), now)) is not None:
                return wait * unit
    said = _SAID.search(quoted(answer)[:_READ])
    return sum(float(number) * _SAID_S[unit.lower()] for number, unit in _PARTS.findall(said[1])) if said else None


def _delays(error: Mapping[str, Any]) -> Iterator[tuple[Any, float]]:
    """Yield the delays that an error names, and of what part of a second they are."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and "retryDelay" in detail:
            yield detail["retryDelay"], 1.0
    metadata = error.get("metadata")
    headers = metadata.get("headers") if isinstance(metadata, dict) else None
    for name, value in headers.items() if isinstance(headers, dict) else ():
        if name.lower() == "retry-after" or _RESET.fullmatch(name.lower()):
            yield value, 1.0
    for place in (error, metadata if isinstance(metadata, dict) else {}):
        for name in _DELAYS:
            if name in place:
                yield place[name], 0.001 if name.lower().endswith("ms") else 1.0


def _until(value: str, now: float) -> float | None:
    """Return the seconds to a moment, given as a duration, a number of seconds, or a date of any kind."""
    value = value.strip()[:64]
    if (duration := _duration_s(value)) is not None:
        return duration
    try:
        number = float(value)
    except ValueError:
        moment = _timestamp(value)
        return None if moment is None else max(0.0, moment - now)
    if not math.isfinite(number):
        return None
    if number > 1000 * _SECONDS_OF_2001:
        number /= 1000
    return max(0.0, number - now if number > _SECONDS_OF_2001 else number)


def _duration_s(value: str) -> float | None:
    parts = _DURATION.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        return None
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def _timestamp(value: str) -> float | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            date = read(value)
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            continue
    return None
