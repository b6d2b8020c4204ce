"""Verdicts in words: which of some words a reply says, and which it denies.

A word is denied if it is negated or hedged in its clause, before it (`not entirely correct`, `correct if`) or right
after it (`correct: no`). The rules are for English.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from tasks.judging.statement import Unread

WORDS_BEFORE: Final = 6
"""So many words before a word can negate it."""

_CLAUSE_ENDS = re.compile(r"[.;:!?\n]|(?<!anything )\bbut\b", re.IGNORECASE)
_DENIAL = re.compile(
    r"""\b(?:
        not | no(?!,) | never | nor | neither | none | nothing | cannot | without | lacks? | lacking | fail(?:s|ed)?
        | \w+n['’]t | hardly | barely | scarcely | unlikely | far\ from | anything\ but | rather\ than | instead\ of
        | partial(?:ly)? | partly | somewhat | almost | nearly | half
        | if | whether | unless | would(?!\ (?:say|call|rate)) | could | might | may | non-
    )(?!\w)""",
    re.IGNORECASE | re.VERBOSE,
)
_DENIED_AFTER = re.compile(r"""[*_`"']*\s*[:=?]\s*[*_`"']*(?:no|not|false|0)(?!\w)""", re.IGNORECASE)
_DETERMINER = re.compile(r"[ ]+\w")


def find_word(values: Mapping[str, float], text: str) -> float | Unread:
    """Return what the words of a reply are worth, in whatever case, if all that it says agree and none is denied."""
    words = tuple(sorted(values, key=len, reverse=True))
    said: dict[float, str] = {}
    denied: dict[float, str] = {}
    for word, occurrence in _occurrences(words, text):
        found = denied if _is_denied(word, occurrence, text) else said
        found.setdefault(values[word], word)
    if len(said) > 1:
        return Unread(f"says {_listed(said.values())}", contradictory=True)
    if denied and said.keys() <= denied.keys():
        return Unread(f"negates or hedges {_listed(denied.values())}", contradictory=True)
    for value in said:
        return value
    return Unread(f"says none of {_listed(values)}")


def _occurrences(words: tuple[str, ...], text: str) -> Iterator[tuple[str, re.Match[str]]]:
    for occurrence in _pattern(words).finditer(text):
        assert occurrence.lastindex is not None, "each word is a group"
        yield words[occurrence.lastindex - 1], occurrence


@lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Compile what finds a whole word, each in a group of its own; of two that begin alike the first."""
    either = "|".join(f"({re.escape(word)})" for word in words)
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)


def _is_denied(word: str, occurrence: re.Match[str], text: str) -> bool:
    before = text[max(0, occurrence.start() - 100) : occurrence.start()]
    clause = _CLAUSE_ENDS.split(before)[-1].split()[-WORDS_BEFORE:]
    if _DENIAL.search(" ".join(clause)) or _DENIED_AFTER.match(text, occurrence.end()):
        return True
    # "There are no errors" says nothing of the kind that "No." says.
    return word.casefold() == "no" and _DETERMINER.match(text, occurrence.end()) is not None


def _listed(words: Iterable[str]) -> str:
    return ", ".join(map(repr, words))
