"""What an endpoint's answer means, and how long to wait before it is asked again; no I/O."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from core.result import CallOutcome, Usage

BACKOFF_BASE_S: Final = 0.5
BACKOFF_CAP_S: Final = 30.0

_UNCOUNTED: Final = Usage()
_RETRYABLE: Final = frozenset({408, 409, 425, 429})
_FILTER_CODES: Final = frozenset({"content_filter", "content_policy_violation", "responsibleaipolicyviolation"})
_SHOWN = 80
_MESSAGE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Reading:
    """What one answer means: an outcome, and an error unless it was answered; `empty` if it says nothing."""

    outcome: CallOutcome
    error: str | None = None
    usage: Usage = _UNCOUNTED
    empty: bool = False


def backoff_s(retry: int, draw: float) -> float:
    """Return the wait before retry number `retry` (from 1): full jitter, `draw` being uniform in 0..1."""
    return draw * min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0 ** (retry - 1))


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds an endpoint asks to be left alone, if it says so in a form we know.

    That is `retry-after-ms`, or `Retry-After` in seconds or as an HTTP date, compared with `now` (Unix time).
    """
    for value, unit in ((headers.get("retry-after-ms"), 0.001), (headers.get("retry-after"), 1.0)):
        try:
            seconds = float(value or "") * unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
    except (ValueError, OverflowError):
        return None
    return max(0.0, _timestamp(date) - now)


def _timestamp(date: datetime) -> float:
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> Reading:
    """Tell whether an answer is one, a refusal, or an error that may or will not pass."""
    parsed = _parse(body)
    choice = _first_choice(parsed)
    if 200 <= status < 300 and choice is not None:
        usage = read_usage(parsed.get("usage"))
        if choice.get("finish_reason") == "content_filter":
            return Reading("refused", "The endpoint's content filter withheld the answer", usage)
        return Reading("answered", None, usage, empty=_says_nothing(choice))
    if 300 <= status < 400:
        return Reading("error", f"HTTP {status}: redirects to {_host(headers)}, which is not followed; give that URL")
    error = _complaint(status, headers, parsed, body)
    if _names_filter(parsed):
        return Reading("refused", error)
    passing = status < 300 or status in _RETRYABLE or status >= 500
    if passing and headers.get("x-should-retry") != "false":
        return Reading("transient", error)
    return Reading("error", error)


def read_usage(usage: object) -> Usage:
    """Read the token counts; what is absent or no count is None."""
    if not isinstance(usage, dict):
        return _UNCOUNTED
    return Usage(
        _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")), _count(usage.get("total_tokens"))
    )


def _count(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _first_choice(parsed: Any) -> dict[str, Any] | None:
    choices = parsed.get("choices") if isinstance(parsed, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(choice, dict) and (isinstance(choice.get("message"), dict) or isinstance(choice.get("text"), str)):
        return choice
    return None


def _says_nothing(choice: dict[str, Any]) -> bool:
    message = choice.get("message")
    if not isinstance(message, dict):
        return not choice["text"].strip()
    content = message.get("content")
    text = content.strip() if isinstance(content, str) else content
    return not (text or message.get("tool_calls"))


def _names_filter(parsed: Any) -> bool:
    """Tell whether an error's code says that the content filter raised it; its text may quote anything."""
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if not isinstance(error, dict):
        return False
    inner = error.get("innererror")
    codes = [error.get("code"), error.get("type"), inner.get("code") if isinstance(inner, dict) else None]
    return any(isinstance(code, str) and code.lower() in _FILTER_CODES for code in codes)


def _complaint(status: int, headers: Mapping[str, str], parsed: Any, body: bytes) -> str:
    message = _message(parsed)
    if message:
        return f"HTTP {status}: {message[:_MESSAGE_LENGTH]}"
    start = body[: 4 * _SHOWN].decode("utf-8", "replace")[:_SHOWN]
    if parsed is None:
        return f"HTTP {status}: the answer is not JSON but {headers.get('content-type', 'of no type')}: {start!r}"
    return f"HTTP {status}: the answer has no choices: {start!r}"


def _message(parsed: Any) -> str | None:
    """Return the first text among the places where endpoints put their message."""
    if not isinstance(parsed, dict):
        return None
    error = parsed.get("error")
    places = [error.get("message") if isinstance(error, dict) else error, parsed.get("message"), parsed.get("detail")]
    return next((place for place in places if isinstance(place, str) and place), None)


def _host(headers: Mapping[str, str]) -> str:
    try:
        return urlsplit(headers.get("location", "")).hostname or "another path"
    except ValueError:
        return "an invalid URL"
