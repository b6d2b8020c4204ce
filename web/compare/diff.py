"""What differs between two texts, word by word."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal, NamedTuple

MOST_WORDS: Final = 1_500
"""Finding the common words of texts takes the product of their lengths: longer ones are shown as they are."""

LONGEST: Final = 6_000
"""Characters of a text that are shown; the sample's own page has all."""

WORDS: Final = re.compile(r"\s+|\w+|[^\w\s]")


class Span(NamedTuple):
    """A piece of a text, and whether the other text has it too."""

    text: str
    kind: Literal["same", "changed"]


@dataclass(frozen=True, slots=True)
class Diff:
    """Two texts in pieces, each as far as it is shown; `is_cut` if one of them goes on."""

    baseline: list[Span]
    candidate: list[Span]
    is_cut: bool


def diff(baseline: str, candidate: str) -> Diff:
    """Tell two texts apart."""
    is_cut = max(len(baseline), len(candidate)) > LONGEST
    first, second = WORDS.findall(baseline[:LONGEST]), WORDS.findall(candidate[:LONGEST])
    if max(len(first), len(second)) > MOST_WORDS:
        return Diff([Span("".join(first), "same")], [Span("".join(second), "same")], is_cut)
    left: list[Span] = []
    right: list[Span] = []
    for tag, a, b, c, d in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        kind: Literal["same", "changed"] = "same" if tag == "equal" else "changed"
        left += [Span("".join(first[a:b]), kind)] if b > a else []
        right += [Span("".join(second[c:d]), kind)] if d > c else []
    return Diff(left, right, is_cut)
