"""Thinking told from the answer, in a text that holds both.

Thinking stands between marks; often the first one is in the prompt already, and the text begins in the midst of it.
A mark in backticks or quotes is spoken of, and ends nothing; so is a block between fences that begins with one.
"""

import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from core.endpoint import Reasoning

THINK: Final = "<think>"

MARKS: Final = (
    ("[THINK]", "[/THINK]"),
    ("<thought>", "</thought>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("<antThinking>", "</antThinking>"),
    ("<|channel>thought", "<channel|>"),
    ("<seed:think>", "</seed:think>"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
)
"""How models other than those with `<think>` begin and end their thinking."""

LEADING: Final = frozenset({"<thought>", "<thinking>", "<reasoning>"})
"""Such words are also those of other XML: thinking is what an answer begins with."""

WRAPPINGS: Final = (
    "<|START_RESPONSE|>",
    "<|END_RESPONSE|>",
    "<|begin_of_solution|>",
    "<|end_of_solution|>",
    "<|begin_of_box|>",
    "<|end_of_box|>",
)
"""What stands around the answer after such thinking."""

_CHANNEL: Final = re.compile(
    r"(?:<\|channel\|>|\A)\s*+(\w++)[^<]*+(?:<\|constrain\|>[^<]*+)?<\|message\|>(.*?)"
    r"(?:<\|(?:end|return|call)\|>|(?=<\|(?:start|channel)\|>)|\Z)",
    re.DOTALL,
)
_HARMONY: Final = re.compile(r"\s*(?:<\|start\|>\w*)?(?:<\|channel\|>)?(?:analysis|commentary|final)\b[^<]*+<\|")
_BARE_CHANNELS: Final = re.compile(
    r"\A(?:(?:assistant)?(?:analysis|commentary))?(.*?)(?<![`'\"\u2018\u201c])assistantfinal(?![`'\"\u2019\u201d])(.*)\Z",
    re.DOTALL,
)
_BLANK: Final = re.compile(r"\s*")
_LINE_END: Final = re.compile(r"[ \t]*(?:\n|\Z)")
_FENCE: Final = re.compile(r"^[ \t]*(```+|~~~+)([^`\n]*)$", re.MULTILINE)
_QUOTES: Final = frozenset("`'\"\u2018\u2019\u201c\u201d")


class Parts(NamedTuple):
    """The thinking in a text, None if there is none, and the answer."""

    thinking: str | None
    answer: str


class _Mark(NamedTuple):
    at: int
    stop: int
    opens: bool


def split_thinking(text: str, reasoning: Reasoning, *, apart: bool = False) -> Parts:
    """Tell thinking from the answer; thinking that never ends is no answer.

    Where thinking came `apart`, in a field of its own, only what the text itself opens as thinking is taken for it.
    """
    parts = _of_harmony(text)
    for start, end in ((THINK, reasoning.end_token), *MARKS):
        if parts is None and _either(start, end).search(text):
            parts = _between(text, start, end, apart=apart)
    if parts is None:
        return Parts(None, text)
    if not parts.answer and reasoning.include_if_unfinished:
        return Parts(parts.thinking, text)
    return parts


@lru_cache(maxsize=64)
def _either(start: str, end: str) -> re.Pattern[str]:
    return re.compile(f"{_opening(start)}|{re.escape(end)}", re.IGNORECASE)


def _opening(start: str) -> str:
    """Return the pattern of a mark that begins, which may have attributes if it is a tag."""
    return (
        rf"{re.escape(start[:-1])}(?: [^<>]{{0,60}})?>"
        if start.endswith(">") and start[1].isalpha()
        else re.escape(start)
    )


def _of_harmony(text: str) -> Parts | None:
    """Read the channels of harmony, whose final one is the answer, also where its marks were stripped."""
    if "<|message|>" in text and _HARMONY.match(text):
        said = _CHANNEL.findall(text)
        thoughts = [content.strip() for channel, content in said if channel != "final"]
        answers = [content for channel, content in said if channel == "final"]
        return Parts("\n\n".join(thoughts) or None, "".join(answers).strip())
    if "assistantfinal" in text and (bare := _BARE_CHANNELS.match(text)):  # what is not there is looked for faster so
        return Parts(bare[1].strip() or None, bare[2].strip())
    return None


def _between(text: str, start: str, end: str, *, apart: bool) -> Parts | None:
    """Cut out what stands between marks; None if nothing does. Each character is looked at a few times at most."""
    marks, leads = _marks(text, start, end), start in LEADING
    thoughts: list[str] = []
    kept: list[str] = []
    place, last = 0, max((found.start() for found in re.finditer(re.escape(end), text, re.IGNORECASE)), default=-1)
    if (
        marks
        and not marks[0].opens
        and not (text[: marks[0].at].strip() and (apart or (leads and _goes_on(text, marks))))
    ):
        thoughts.append(text[: marks[0].at].strip())
        place = marks[0].stop
    head = beginning = _first_character(text, place)
    for mark, closing in zip(marks, _closings(marks), strict=True):
        if mark.at < place or not mark.opens:
            continue
        if closing is None and last >= mark.stop:
            closing = _Mark(last, last + len(end), opens=False)  # a quoted one, for want of another
        at_head = mark.at == head or (text[mark.at - 1] == "\n" and not leads)
        is_block = closing is not None and (at_head or bool(thoughts)) and not leads
        if not (mark.at == beginning or (thoughts and at_head) or is_block):
            continue  # it is spoken of
        kept.append(text[place : mark.at])
        thoughts.append(text[mark.stop : closing.at].strip() if closing else text[mark.stop if thoughts else 0 :])
        place = closing.stop if closing else len(text)
        head = _first_character(text, place)
    if not thoughts:
        return None
    kept.append(text[head:])
    return Parts("\n\n".join(thoughts), _unwrapped("".join(kept).lstrip()))


def _goes_on(text: str, marks: Sequence[_Mark]) -> bool:
    """Tell whether the line goes on after the first mark, or another begins later: then it ends no thinking."""
    return _LINE_END.match(text, marks[0].stop) is None or any(mark.opens for mark in marks)


def _first_character(text: str, place: int) -> int:
    blank = _BLANK.match(text, place)
    return blank.end() if blank else place


def _closings(marks: Sequence[_Mark]) -> list[_Mark | None]:
    """Return for each mark the next one after it that closes."""
    closings: list[_Mark | None] = []
    following: _Mark | None = None
    for mark in reversed(marks):
        closings.append(following)
        following = following if mark.opens else mark
    return closings[::-1]


def _marks(text: str, start: str, end: str) -> list[_Mark]:
    """Return the marks that are no quotations, in their order."""
    pattern = re.compile(rf"`[^`\n]*`|({_opening(start)})|{re.escape(end)}", re.IGNORECASE)
    marks = [
        _Mark(found.start(), found.end(), found[1] is not None)
        for found in pattern.finditer(text)
        if text[found.start()] != "`" and not _is_quoted(text, found.start(), found.end())
    ]
    places = [mark.at for mark in marks]
    shown: set[int] = set()
    for start_of_block, end_of_block in _fenced(text) if marks else ():
        within = range(bisect(places, start_of_block), bisect(places, end_of_block))
        if within and marks[within[0]].opens:
            shown.update(within)
    return [mark for number, mark in enumerate(marks) if number not in shown]


def _fenced(text: str) -> Iterator[tuple[int, int]]:
    """Yield from where to where a text is between fences."""
    opening: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opening is None:
            opening = fence
        elif fence[1].startswith(opening[1]) and not fence[2].strip():
            yield opening.end(), fence.start()
            opening = None


def _is_quoted(text: str, at: int, stop: int) -> bool:
    return at > 0 and text[at - 1] in _QUOTES and text[stop : stop + 1] in _QUOTES


def _unwrapped(answer: str) -> str:
    if "<|" not in answer:
        return answer
    for wrapping in WRAPPINGS:
        answer = answer.replace(wrapping, "")
    return answer.strip()
