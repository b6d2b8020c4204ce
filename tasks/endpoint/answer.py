"""The bytes of an answer as JSON: as strict readers have it, as lenient ones do, and as a stream nobody asked for."""

import json
import math
import re
from typing import Any, Final, NamedTuple

import orjson

from core.json_size import count_outside
from tasks.endpoint.stream import assembled

MAX_DEPTH: Final = 200
"""Answers are kept, shown and exported inside of other JSON; orjson writes 254 levels in all."""

MAX_VALUES: Final = 1_000_000
"""Each takes up to a hundred times as much in memory as in the answer."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NO_NUMBER: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|([-+]?\b(?:nan|inf(?:inity)?)\b)', re.IGNORECASE | re.DOTALL)
_LINE_END: Final = re.compile("\r\n?|\n")
"""No other character ends a line of events: texts may hold them all."""

_HEADROOM: Final = 254 - MAX_DEPTH
_SIGNS: Final = b",[{"
"""Before each value of an array or object, or of the next."""


class TooMuch(ValueError):
    """An answer is nested deeper than `MAX_DEPTH`, or has more values than `MAX_VALUES`."""


class Answer(NamedTuple):
    """What an answer holds, None if it is no JSON, and the text that is kept of it: then JSON to any reader."""

    value: Any
    text: str


def read_body(body: bytes) -> Answer:
    """Read an answer, leniently if it must be. Raises TooMuch."""
    if sum(map(body.count, _SIGNS)) > MAX_VALUES and count_outside(body, _SIGNS) > MAX_VALUES:
        raise TooMuch(f"The answer has more than {MAX_VALUES:,} values")
    try:
        value, text = orjson.loads(body), body.decode()
    except orjson.JSONDecodeError:
        value = _lenient(body)
        text = body.decode("utf-8", "replace") if value is None else orjson.dumps(value).decode()
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _refuse_depth(value)
    return Answer(value, text)


def _refuse_depth(value: Any) -> None:
    for _ in range(_HEADROOM):
        value = [value]
    try:
        orjson.dumps(value)  # the cheapest way to see how deep it is
    except orjson.JSONEncodeError:
        raise TooMuch(f"The answer is nested deeper than {MAX_DEPTH} levels") from None


def _lenient(body: bytes) -> Any:
    """Read what Python's reader takes and strict ones do not: BOMs, NaN, lone surrogates, cut bytes, streams."""
    text = body.decode(json.detect_encoding(body), "replace").lstrip("\ufeff")
    value = _loads(text)
    return _of_stream(text) if value is None else value


def _of_stream(text: str) -> Any:
    chunks, is_whole = [], False
    for payload in _payloads(text):
        is_whole = is_whole or payload == "[DONE]"
        chunk = _loads(payload)
        if isinstance(chunk, dict):
            chunks.append(chunk)
        elif payload != "[DONE]":
            return None
    return assembled(chunks, is_whole=is_whole) if chunks else None


def _payloads(text: str) -> list[str]:
    """Return the payloads of server-sent events, or the lines of JSON Lines."""
    lines = [line.strip() for line in _LINE_END.split(text)]
    data = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
    return [payload for payload in data or lines if payload]


def _loads(text: str) -> Any:
    """Read JSON as Python does; what no JSON can hold is null, and half a character U+FFFD."""
    try:
        value = _loosely(text)
        return orjson.loads(_SURROGATE.sub("\ufffd", json.dumps(value, ensure_ascii=False)))
    except RecursionError:
        raise TooMuch(f"The answer is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError:
        return None


def _loosely(text: str) -> Any:
    """Read JSON with NaN and infinities, in lower case too."""
    try:
        return json.loads(text, strict=False, parse_constant=lambda _: None, parse_float=_finite)
    except ValueError:
        lowered = text.lower()
        if "nan" not in lowered and "inf" not in lowered:
            raise
        known = _NO_NUMBER.sub(lambda found: "null" if found[1] else found[0], text)
        if known == text:
            raise
        return json.loads(known, strict=False, parse_constant=lambda _: None, parse_float=_finite)


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None
