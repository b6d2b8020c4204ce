"""What a judge said: its text and the JSON objects in it, read as leniently as cannot be misread.

A reply may quote what it judges, and a quoted answer may carry a verdict of its own. So every object with a key has a
say on what is under it, and one that cannot be read has too: where they do not agree, there is no verdict.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from tasks.judging.announced import is_announcement
from tasks.judging.forms import NAMES_OF_WORDS, Form, T
from tasks.judging.heading import is_heading
from tasks.judging.prose import Unread, is_taken_back, stated
from tasks.judging.whose import goes_on, hands_over, without_shown

SHOWN_CHARACTERS: Final = 60

NAMES_OF_OBJECTS: Final = (
    rf"{NAMES_OF_WORDS}|(?:json )?output(?: json)?|json|it|here it is|mine|sure|well|ok|okay|alright|here you go"
)
"""What a heading calls an object."""

LONGEST_LEAD: Final = 500
"""So many characters before an object may lead to it."""

_OBJECT_START = re.compile(r"""\{(?=\s*(?:["']|[A-Za-z_]\w*\s*:))""")
_STRING = r""""(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'"""
_BRACES_AND_STRINGS = re.compile(rf"""[{{}}]|{_STRING}|["']""", re.DOTALL)
_LENIENT = re.compile(rf"{_STRING}|,(?=\s*[}}\]])|[A-Za-z_]\w*+(\s*:)?", re.DOTALL)
_DRESS = re.compile(
    r"[*_~\[\]]|^\s*`+\w*|<\|[^|>]*\|>|<(?:result|json|output|verdict|answer|evaluation)>|INST\b|//.*|.*</\w+>"
    r"|\ufeff|^\s*json\s*$",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_GOES_ON = re.compile(
    r"[*_`\]) \t]*(?:[?,:(a-z→–—-]|<(?![/|]))|[\s`]+[a-z]|\s*</(?!s>|result|json|output|verdict|answer|evaluation)"
)
_PYTHON_WORDS: Final = {"True": "true", "False": "false", "None": "null"}


class _Several:
    """What stands under a key that an object has twice, with two values."""

    def __repr__(self) -> str:
        return "given twice"


@dataclass(frozen=True)
class Statement:
    """The text of a reply."""

    text: str

    @cached_property
    def objects(self) -> tuple[list[tuple[int, int, dict[str, Any]]], list[str]]:
        """The objects of the reply, with where each stands, and what begins like one and cannot be read."""
        read, broken = [], []
        for start, end, is_closed in _spans(self.text):
            source = self.text[start:end]
            value = read_object(source) if is_closed else None
            if value is None:
                broken.append(source)
            else:
                read.append((start, end, value))
        return read, broken

    def under(self, key: str, read: Callable[[object], T | None], *, wanted: str, form: Form[T]) -> T | Unread:
        """Return what `read` makes of the values under a key, in which all objects that have it agree.

        One of them must stand where a verdict may, and the prose must not say otherwise in its `form`. `wanted` says
        what `read` takes, for the reason where it takes none.
        """
        objects, broken = self.objects
        if any(key.casefold() in source.casefold() for source in broken):
            return Unread(f"has an object with {key!r} that cannot be read", settled=True)
        having = [(start, end, each[name]) for start, end, each in objects if (name := _name(each, key)) is not None]
        if not having:
            return Unread(f"has no {key!r}")
        values = [value for _, _, value in having]
        found = [read(value) for value in values]
        if any(each != found[0] for each in found[1:]):
            return Unread(f"gives several values of {key!r}: {_shown(values[0])} and others", settled=True)
        if found[0] is None:
            return Unread(f"gives {_shown(values[0])} as {key!r}, which is not {wanted}", settled=True)
        own = without_shown(self.text, NAMES_OF_OBJECTS)
        if not any(own[start] == "{" and _is_own(own[:start]) for start, _, _ in having):
            return Unread(f"shows {_shown(values[0])} as {key!r} amid other text", settled=True)
        start, end, _ = having[-1]
        before, after = stated(self.text[:start], form), self.text[end:]
        differs = any(each.value != found[0] for each in before if not each.by_sentence)
        if differs or _GOES_ON.match(after) or is_taken_back(found[0], after, form):
            return Unread(f"gives {_shown(values[0])} as {key!r} and says otherwise beside the object", settled=True)
        return found[0]

    def text_under(self, key: str) -> str | None:
        """Return the last text under a key."""
        texts = [value for _, _, each in self.objects[0] if isinstance(value := each.get(key), str)]
        return texts[-1] if texts else None

    @cached_property
    def bare(self) -> str:
        """The reply without what decorates a single word: white space, quotes, emphasis, a full stop."""
        return self.text.strip().strip("*_`\"'").removesuffix(".").strip("*_`\"'").strip()


def _is_own(before: str) -> bool:
    """Tell whether an object is the judge's own by what stands before it: nothing, a sentence, or a heading for it."""
    *lines, inline = (_DRESS.sub("", line).strip() for line in before[-LONGEST_LEAD:].split("\n"))
    lead = inline if inline.strip("`") else next((line for line in reversed(lines) if line), "")
    if lead.endswith((":", "：")) or lead.startswith("#"):
        last = _SENTENCE_END.split(lead)[-1]
        return is_heading(last, NAMES_OF_OBJECTS) or is_announcement(last)
    if not inline.strip("`"):
        return not goes_on(lead, NAMES_OF_OBJECTS)
    return inline.endswith((".", "!", "。", "！")) and not hands_over(inline, NAMES_OF_OBJECTS)


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
