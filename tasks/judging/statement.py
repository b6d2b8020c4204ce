"""What a judge said: its text and the JSON objects in it, read as leniently as cannot be misread.

A reply may quote what it judges, and a quoted answer may carry a verdict of its own. So every object with a key has a
say on what is under it, and one that cannot be read has too: where they do not agree, there is no verdict.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

T = TypeVar("T")

SHOWN_CHARACTERS: Final = 60

_OBJECT_START = re.compile(r"""\{(?=\s*(?:["']|[A-Za-z_]\w*\s*:))""")
_STRING = r""""(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'"""
_BRACES_AND_STRINGS = re.compile(rf"""[{{}}]|{_STRING}|["']""", re.DOTALL)
_LENIENT = re.compile(rf"{_STRING}|,(?=\s*[}}\]])|[A-Za-z_]\w*+(\s*:)?", re.DOTALL)
_GIVES = r"""[ *_`"']*(?:[:=>]|\bis\b)[ *_`"'\[({]*"""
_FEW_WORDS = r"""-?\w[\w.-]*(?: \w[\w.-]*){0,4}"""
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")
_PYTHON_WORDS: Final = {"True": "true", "False": "false", "None": "null"}


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a reply gives no verdict; `settled` if it says something, so that no other parser may find another."""

    reason: str
    settled: bool = False


class _Several:
    """What stands under a key that an object has twice, with two values."""

    def __repr__(self) -> str:
        return "given twice"


@dataclass(frozen=True)
class Statement:
    """The text of a reply."""

    text: str

    @cached_property
    def objects(self) -> tuple[list[dict[str, Any]], list[str]]:
        """The objects of the reply, and what begins like one and cannot be read."""
        read: list[dict[str, Any]] = []
        broken: list[str] = []
        for source, is_closed in object_sources(self.text):
            value = read_object(source) if is_closed else None
            if value is None:
                broken.append(source)
            else:
                read.append(value)
        return read, broken

    def under(
        self, key: str, read: Callable[[object], T | None], *, wanted: str, aliases: tuple[str, ...] = ()
    ) -> T | Unread:
        """Return what `read` makes of the values under a key, in which all objects that have it agree.

        So must the prose beside them, which may call it by one of `aliases` too. `wanted` says what
        `read` takes, for the reason where it takes none.
        """
        objects, broken = self.objects
        if any(key.casefold() in source.casefold() for source in broken):
            return Unread(f"has an object with {key!r} that cannot be read", settled=True)
        values = [each[name] for each in objects if (name := _name(each, key)) is not None]
        if not values:
            return Unread(f"has no {key!r}")
        found = [read(value) for value in values]
        if any(each != found[0] for each in found[1:]):
            return Unread(f"gives several values of {key!r}: {_shown(values[0])} and others", settled=True)
        if any(each != found[0] for each in self._beside((key, *aliases), read)):
            return Unread(f"gives {_shown(values[0])} as {key!r} in an object and another beside it", settled=True)
        if found[0] is None:
            return Unread(f"gives {_shown(values[0])} as {key!r}, which is not {wanted}", settled=True)
        return found[0]

    def _beside(self, names: tuple[str, ...], read: Callable[[object], T | None]) -> Iterator[T]:
        """Yield what `read` takes from the prose beside the objects: `Score: 2`, `the score is 2`."""
        either = "|".join(map(re.escape, names))
        for given in re.finditer(rf"(?<!\w)(?:{either}){_GIVES}({_FEW_WORDS})", self._prose, re.IGNORECASE):
            value = next((taken for start in _starts(given[1]) if (taken := read(start)) is not None), None)
            if value is not None:
                yield value

    @cached_property
    def _prose(self) -> str:
        """The reply without its objects."""
        parts, position = [], 0
        for start, end, _ in _spans(self.text):
            parts.append(self.text[position:start])
            position = end
        return "\n".join([*parts, self.text[position:]])

    def text_under(self, key: str) -> str | None:
        """Return the last text under a key."""
        texts = [value for each in self.objects[0] if isinstance(value := each.get(key), str)]
        return texts[-1] if texts else None

    @cached_property
    def bare(self) -> str:
        """The reply without what decorates a single word: white space, quotes, emphasis, a full stop."""
        return self.text.strip().strip("*_`\"'").removesuffix(".").strip("*_`\"'").strip()


def object_sources(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each `{...}` of a text that opens like an object, braces in its strings left aside, and whether it closes.

    One that does not is the last: a reply cut short.
    """
    for start, end, is_closed in _spans(text):
        yield text[start:end], is_closed


def _spans(text: str) -> Iterator[tuple[int, int, bool]]:
    position = 0
    while (start := _OBJECT_START.search(text, position)) is not None:
        end = _closing(text, start.start())
        position = end or len(text)
        yield start.start(), position, end is not None


def read_object(source: str) -> dict[str, Any] | None:
    """Return an object in JSON, or in JSON with Python's or JavaScript's ways: commas at the end, quotes, bare keys.

    Its numbers are floats. A key that it has twice, with two values, has neither.
    """
    for candidate in (source, _LENIENT.sub(_in_json, source)):
        try:
            value = json.loads(candidate, object_pairs_hook=_members, parse_int=float, strict=False)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    return None


def _closing(text: str, start: int) -> int | None:
    depth = 0
    for token in _BRACES_AND_STRINGS.finditer(text, start):
        if token[0] in {"{", "}"}:
            depth += 1 if token[0] == "{" else -1
            if depth == 0:
                return token.end()
        elif token[0] in {'"', "'"}:  # it opens a string that never closes
            return None
    return None


def _starts(words: str) -> Iterator[object]:
    """Yield what words may begin with: the number, as one and as text, or fewer and fewer of them."""
    if number := _NUMBER.match(words):
        yield from (float(number[0]), number[0])
        return
    while words:
        yield words
        words = words.rpartition(" ")[0]


def _in_json(token: re.Match[str]) -> str:
    """Return a token of a lenient object as JSON has it."""
    source = token[0]
    match source[0]:
        case '"':
            return source
        case "'":
            inner = source[1:-1].replace("\\'", "'")
            return '"' + re.sub(r'(?<!\\)"', r"\"", inner) + '"'
        case ",":
            return ""
    if token[1] is not None:
        return f'"{source.removesuffix(token[1])}":'
    return _PYTHON_WORDS.get(source, source)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        members[name] = value if name not in members or members[name] == value else _Several()
    return members


def _name(members: dict[str, Any], key: str) -> str | None:
    """Return what an object calls a key: as it is, or as the only one that differs in case or by space around it."""
    if key in members:
        return key
    alike = [name for name in members if name.strip().casefold() == key.casefold()]
    return alike[0] if len(alike) == 1 else None


def _shown(value: object) -> str:
    shown = repr(int(value) if isinstance(value, float) and value.is_integer() else value)
    return shown if len(shown) <= SHOWN_CHARACTERS else shown[:SHOWN_CHARACTERS] + "…"
