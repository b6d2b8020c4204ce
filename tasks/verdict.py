"""What a judge said, as named numbers and labels; what cannot be read is None, never a silent 0."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, assert_never

import orjson
import re2

from core.errors import SpecInvalid
from core.spec import JsonParser, Labels, Parsed, Parser, Preference, Range, RegexParser, Scale

CHOICES = {"A": 1.0, "Tie": 0.5, "B": 0.0}
"""What a preference is worth to target A."""

LARGEST_SCORE = 1e100
"""No score is larger; one that is would make the statistics overflow. Infinities and NaN are none either."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_FENCED = re.compile(r"```(?:json)?(.*?)```", re.DOTALL | re.IGNORECASE)
_OBJECT_START = re.compile(r'\{(?=\s*")')
_BRACES_AND_STRINGS = re.compile(r'[{}]|"(?:[^"\\]|\\.)*+"?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One score of a judge: a number, a label, whether it passes, and what the judge said about it."""

    value: float | None = None
    label: str | None = None
    passed: bool | None = None
    feedback: str | None = None


def read_verdict(scale: Scale, text: str) -> dict[str, Verdict | None]:
    """Read a judge's reply into its scores by name; None is a score that the reply does not give."""
    match scale:
        case Parsed():
            reply = read_object(text) if any(isinstance(p, JsonParser) for p in scale.scores.values()) else None
            return {name: _parsed(parser, text, reply) for name, parser in scale.scores.items()}
        case Labels():
            return {"label": _label(scale, read_object(text) or {})}
        case Range():
            return {"score": _score(scale, read_object(text) or {})}
        case Preference():
            return {"choice": _choice(read_object(text) or {})}
        case _:
            assert_never(scale)


def score_names(scale: Scale) -> tuple[str, ...]:
    """Return the names of a judge's scores: those of a Parsed scale, otherwise `label`, `score` or `choice`."""
    match scale:
        case Parsed():
            return tuple(scale.scores)
        case Labels():
            return ("label",)
        case Range():
            return ("score",)
        case Preference():
            return ("choice",)
        case _:
            assert_never(scale)


def combine_passes(straight: Verdict | None, swapped: Verdict | None) -> Verdict | None:
    """Return the preference of two passes, the second of which saw the two outputs exchanged.

    Passes that disagree are a tie: the judge preferred a position (Zheng et al. 2023). One that cannot be read leaves
    the decision to the other.
    """
    mirrored = swapped and _mirror(swapped)
    if straight is None or mirrored is None:
        return straight or mirrored
    return straight if straight.label == mirrored.label else Verdict(CHOICES["Tie"], "Tie", None, straight.feedback)


def _mirror(verdict: Verdict) -> Verdict:
    """Return the preference as it is when A and B are called by each other's name."""
    label = {"A": "B", "B": "A"}.get(verdict.label or "", verdict.label)
    value = None if verdict.value is None else 1.0 - verdict.value
    return replace(verdict, label=label, value=value)


def _parsed(parser: Parser, text: str, reply: dict[str, Any] | None) -> Verdict | None:
    match parser:
        case RegexParser():
            value = _find_number(parser, text)
        case JsonParser():
            value = _number((reply or {}).get(parser.path))
        case _:
            assert_never(parser)
    return None if value is None else Verdict(value)


def _find_number(parser: RegexParser, text: str) -> float | None:
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


def _label(scale: Labels, reply: dict[str, Any]) -> Verdict | None:
    label = _one_of(scale.labels, reply.get("label"))
    if label is None:
        return None
    passed = label in scale.passing
    return Verdict(float(passed), label, passed, _feedback(reply))


def _score(scale: Range, reply: dict[str, Any]) -> Verdict | None:
    given = reply.get("score")
    value = read_number(given) if isinstance(given, str) else None if isinstance(given, bool) else _number(given)
    if value is None or not scale.minimum <= value <= scale.maximum:
        return None
    return Verdict(value, None, value >= scale.threshold, _feedback(reply))


def _choice(reply: dict[str, Any]) -> Verdict | None:
    choice = _one_of(tuple(CHOICES), reply.get("choice"))
    return None if choice is None else Verdict(CHOICES[choice], choice, None, _feedback(reply))


def _one_of(known: tuple[str, ...], said: object) -> str | None:
    """Return the known word that was said: exactly, or as the only one that differs in case."""
    if not isinstance(said, str):
        return None
    said = said.strip()
    if said in known:
        return said
    alike = [word for word in known if word.casefold() == said.casefold()]
    return alike[0] if len(alike) == 1 else None


def _feedback(reply: dict[str, Any]) -> str | None:
    feedback = reply.get("feedback")
    return feedback if isinstance(feedback, str) else None


def _number(value: object) -> float | None:
    """Return a JSON number, or 1 and 0 for true and false; anything else is None."""
    if not isinstance(value, int | float):
        return None
    return _bounded(float(value))


def read_number(text: str) -> float | None:
    """Return the number that `text` is, if it is one within `LARGEST_SCORE`."""
    text = text.strip()
    return _bounded(float(text)) if _NUMBER.fullmatch(text) else None


def _bounded(number: float) -> float | None:
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
