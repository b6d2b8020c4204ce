"""How one number is found in a judge's reply: by a pattern, under a key, by a word."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, assert_never

import orjson
import re2

from core.errors import SpecInvalid
from core.metric import FirstParser, JsonParser, Parser, RegexParser, WordParser

LARGEST_SCORE = 1e100
"""No score is larger; one that is would make the statistics overflow. Infinities and NaN are none either."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_FENCED = re.compile(r"```(?:json)?(.*?)```", re.DOTALL | re.IGNORECASE)
_OBJECT_START = re.compile(r'\{(?=\s*")')
_BRACES_AND_STRINGS = re.compile(r'[{}]|"(?:[^"\\]|\\.)*+"?', re.DOTALL)


@dataclass(frozen=True)
class Statement:
    """What a judge said: `text`, and the members of the JSON object in it."""

    text: str

    @cached_property
    def members(self) -> dict[str, Any]:
        """The members of the object, empty if there is none."""
        return read_object(self.text) or {}


def find_number(parser: Parser, said: Statement) -> float | None:
    """Return the number that a parser finds, if it is one within `LARGEST_SCORE`."""
    match parser:
        case RegexParser():
            return _matched(parser, said.text)
        case JsonParser():
            return _member(parser, said.members.get(parser.path))
        case WordParser():
            return _word(parser, said.text)
        case FirstParser():
            found = (find_number(each, said) for each in parser.parsers)
            return next((number for number in found if number is not None), None)
        case _:
            assert_never(parser)


def _matched(parser: RegexParser, text: str) -> float | None:
    pattern = compile_pattern(parser.pattern)
    text = text.encode(errors="replace").decode()
    found = pattern.match(text) if parser.method == "match" else pattern.search(text)
    return read_number(found.group(1) or "") if found else None


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> Any:
    """Compile a user's pattern, which runs in linear time and has the number in group 1; raises SpecInvalid."""
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise SpecInvalid(f"the pattern {pattern!r} is not valid RE2 syntax: {reason}") from error
    if compiled.groups < 1:
        raise SpecInvalid(f"the pattern {pattern!r} has no group: put the number in (...)")
    return compiled


def _member(parser: JsonParser, value: object) -> float | None:
    number = as_number(value)
    if number is None or (parser.whole and not number.is_integer()):
        return None
    if parser.minimum is not None:
        number = max(number, parser.minimum)
    return number if parser.maximum is None else min(number, parser.maximum)


def _word(parser: WordParser, text: str) -> float | None:
    words = tuple(sorted(parser.values, key=len, reverse=True))
    found = _word_pattern(words).search(text)
    if found is None or found.lastindex is None:
        return None
    return bounded(parser.values[words[found.lastindex - 1]])


@lru_cache(maxsize=256)
def _word_pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Compile what finds a whole word, each in a group of its own; of two that begin alike the first."""
    either = "|".join(f"({re.escape(word)})" for word in words)
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)


def as_number(value: object) -> float | None:
    """Return a JSON number, or 1 and 0 for true and false; anything else is None."""
    return bounded(float(value)) if isinstance(value, int | float) else None


def read_number(text: str) -> float | None:
    """Return the number that `text` is, if it is one within `LARGEST_SCORE`."""
    text = text.strip()
    return bounded(float(text)) if _NUMBER.fullmatch(text) else None


def bounded(number: float) -> float | None:
    """Return a number that can be a score."""
    return number if abs(number) <= LARGEST_SCORE else None


def read_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object a reply is, has in a code fence, or has in it first."""
    candidates = (part for parts in ([text], _FENCED.findall(text), balanced_objects(text)) for part in parts)
    for candidate in candidates:
        try:
            value = orjson.loads(candidate.strip())
        except orjson.JSONDecodeError:
            continue
        if isinstance(value, dict):
            return value
    return None


def balanced_objects(text: str) -> Iterator[str]:
    """Yield each `{...}` of a text that opens like a JSON object and closes; braces in its strings do not count.

    One that never closes is a reply cut short: nothing after its opening is taken for the verdict.
    """
    position = 0
    while (start := _OBJECT_START.search(text, position)) is not None:
        end = _closing(text, start.start())
        if end is None:
            return
        yield text[start.start() : end]
        position = end


def _closing(text: str, start: int) -> int | None:
    depth = 0
    for token in _BRACES_AND_STRINGS.finditer(text, start):
        if token[0] in {"{", "}"}:
            depth += 1 if token[0] == "{" else -1
            if depth == 0:
                return token.end()
    return None
