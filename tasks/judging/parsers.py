"""How one number is found in a judge's reply: by a pattern, under a key, by a word.

A number is taken only where the reply leaves no choice: what it gives twice, with two values, is none of them.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Final, assert_never

import re2

from core.errors import SpecInvalid
from core.metric import FirstParser, JsonParser, NumberParser, Parser, RegexParser, WordParser
from tasks.judging.forms import NAMES, Form, numbers, words
from tasks.judging.prose import Unread, verdict_in
from tasks.judging.statement import Statement

LARGEST_SCORE: Final = 1e100
"""No score is larger; one that is would make the statistics overflow. Infinities and NaN are none either."""

LONGEST_NUMBER: Final = 400
"""No number is written with more characters."""

LONGEST_PATTERN: Final = 10_000
LARGEST_PROGRAM: Final = 10_000
"""Characters of a user's pattern, and instructions that it is compiled to: a repetition repeats those of its part."""

MOST_STEPS: Final = 50_000_000
"""Of a pattern in a reply: each search may take each of the characters through all instructions. That is a second."""

SHOWN_PATTERN: Final = 200
_TOO_LARGE: Final = (
    f"the pattern {{}} is larger than {LARGEST_PROGRAM:,} instructions: have it repeat less, or less of it"
)

_NUMBER = re2.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


LONGEST_JOINT: Final = 8
"""No more characters stand between the two numbers of a range, with one of the first."""

_JOINT = r"[ ]{0,2}(?:[-–—~…&±+]|to|or|and)[ ]{0,2}"
_GOES_ON = re.compile(
    rf"\d|[.,]\d|{_JOINT}\d|[^\w\n]{{0,3}}(?:\?|[+]|(?:maybe|perhaps|or|minus|plus|approx|at (?:most|least|best))\b)",
    re.IGNORECASE,
)
_BEGAN = re.compile(rf"(?:\d|\d[.,]|\d{_JOINT}|(?<![\w)\]])[-−])\Z")
_NEGATION = re.compile(r"\b(?:not|never)\W*\Z", re.IGNORECASE)


def find_number(parser: Parser, said: Statement) -> float | Unread:
    """Return the number that a parser finds, if it is one within `LARGEST_SCORE`, or why it finds none."""
    match parser:
        case RegexParser():
            return _matched(parser, said.text)
        case JsonParser():
            return _member(parser, said)
        case WordParser():
            return _stated(words(parser.values), said)
        case NumberParser():
            return _stated(numbers(), said)
        case FirstParser():
            return _first(parser, said)
        case _:
            assert_never(parser)


def _stated(form: Form[float], said: Statement) -> float | Unread:
    found = verdict_in(said.text, form)
    return found if isinstance(found, Unread) or bounded(found) is not None else Unread(f"is worth {found}")


def _first(parser: FirstParser, said: Statement) -> float | Unread:
    """Try the parsers in turn; one that finds a contradiction, or no number where it should be, ends the search.

    A text under a key is read by those that read prose and come after that of the key.
    """
    tried = []
    for place, each in enumerate(parser.parsers):
        in_prose = [other for other in parser.parsers[place:] if isinstance(other, WordParser | NumberParser)]
        found = _member(each, said, in_prose) if isinstance(each, JsonParser) else find_number(each, said)
        if not isinstance(found, Unread) or found.settled:
            return found
        tried.append(found)
    return tried[0]


def _first_of(parsers: Sequence[Parser], said: Statement) -> float | Unread:
    read = (find_number(each, said) for each in parsers)
    return next((found for found in read if not isinstance(found, Unread) or found.settled), Unread("has no verdict"))


def _matched(parser: RegexParser, text: str) -> float | Unread:
    text = text.encode(errors="replace").decode()
    matches = _fits(parser, text)
    if isinstance(matches, Unread):
        return matches
    if not matches:
        return Unread(_unmatched(parser, text))
    groups = [match.group(1) or "" for match in matches]
    numbers = [read_number(group) for group in groups]
    if any(number != numbers[0] for number in numbers[1:]):
        return Unread(f"fits {parser.pattern!r} with {groups[0]!r} and others", settled=True)
    if numbers[0] is None:
        return Unread(f"fits {parser.pattern!r} with {groups[0]!r}, which is no number")
    if any(_is_open(text, match) for match in matches):
        why = "which is part of a number or range, or left open"
        return Unread(f"fits {parser.pattern!r} with {groups[0]!r}, {why}", settled=True)
    return numbers[0]


def _fits(parser: RegexParser, text: str) -> list[Any] | Unread:
    """Return where a pattern fits; one that is anchored, at the start and at those of the lines after it."""
    pattern = compile_pattern(parser.pattern)
    steps = 2 * len(text) * pattern.programsize  # of one that fits nowhere, which is looked for elsewhere
    if steps > MOST_STEPS:
        return Unread(f"is too long, with {len(text):,} characters, for {_shown(parser.pattern)}")
    if parser.method == "match" and pattern.match(text) is None:
        return []
    most = 2 * MOST_STEPS // (steps or 1)
    found = list(islice(pattern.finditer(text), most))
    if len(found) == most:
        return Unread(f"fits {_shown(parser.pattern)} {most:,} times")
    return [each for each in found if parser.method == "search" or text[each.start() - 1 : each.start()] in {"", "\n"}]


def _is_open(text: str, match: Any) -> bool:
    """Tell whether a number is part of a longer one or of a range, is put as a question or bound, or is negated."""
    start, end = match.span(1)
    if _GOES_ON.match(text, end) or _BEGAN.search(text[max(0, start - LONGEST_JOINT) : start]):
        return True
    return _NEGATION.search(text[max(0, match.start() - LONGEST_JOINT) : match.start()]) is not None


def _unmatched(parser: RegexParser, text: str) -> str:
    """Say that a pattern fits nothing, and whether it would elsewhere: a mistake that is easily made."""
    anchored = parser.method == "match" or parser.pattern.startswith("^")
    elsewhere = anchored and compile_pattern(parser.pattern.removeprefix("^")).search(text)
    if not elsewhere:
        return f"does not fit {parser.pattern!r}"
    remedy = 'use "method": "search"' if parser.method == "match" else "leave out the ^"
    return f"does not fit {parser.pattern!r} at its start, but further on it does ({elsewhere[0][:60]!r}): {remedy}"


@lru_cache(maxsize=64)
def compile_pattern(pattern: str) -> Any:
    """Compile a user's pattern, which runs in linear time and has the number in group 1; raises SpecInvalid."""
    if len(pattern) > LONGEST_PATTERN:
        raise SpecInvalid(f"the pattern {_shown(pattern)} has more than {LONGEST_PATTERN:,} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20  # also what it remembers of its searches, for as long as it is cached
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        if reason.startswith("pattern too large"):
            raise SpecInvalid(_TOO_LARGE.format(_shown(pattern))) from error
        raise SpecInvalid(f"the pattern {_shown(pattern)} is not valid RE2 syntax: {reason}") from error
    if compiled.programsize > LARGEST_PROGRAM:
        raise SpecInvalid(_TOO_LARGE.format(_shown(pattern)))
    if compiled.groups < 1:
        raise SpecInvalid(f"the pattern {_shown(pattern)} has no group: put the number in (...)")
    return compiled


def _shown(pattern: str) -> str:
    return repr(pattern) if len(pattern) <= SHOWN_PATTERN else f"{pattern[:SHOWN_PATTERN]!r}…"


def _member(parser: JsonParser, said: Statement, in_prose: Sequence[Parser] = ()) -> float | Unread:
    def read(value: object) -> float | None:
        found = _first_of(in_prose, Statement(value)) if isinstance(value, str) and in_prose else as_number(value)
        number = None if isinstance(found, Unread) else found
        return None if number is None or (parser.whole and not number.is_integer()) else number

    names = NAMES if re.fullmatch(NAMES, parser.path, re.IGNORECASE) else re.escape(parser.path)
    wanted = "a whole number" if parser.whole else "a number"
    number = said.under(parser.path, read, wanted=wanted, form=numbers(names))
    if isinstance(number, Unread):
        return number
    if parser.minimum is not None:
        number = max(number, parser.minimum)
    return number if parser.maximum is None else min(number, parser.maximum)


def as_number(value: object) -> float | None:
    """Return a JSON number, or 1 and 0 for true and false; anything else is None."""
    return bounded(float(value)) if isinstance(value, float | bool) else None


def read_number(text: str) -> float | None:
    """Return the number that `text` is, if it is one within `LARGEST_SCORE`."""
    text = text.strip()
    return bounded(float(text)) if len(text) <= LONGEST_NUMBER and _NUMBER.fullmatch(text) else None


def bounded(number: float) -> float | None:
    """Return a number that can be a score."""
    return number if abs(number) <= LARGEST_SCORE else None
