"""Verdicts in words: which of some words a reply states, which it denies, and which it only mentions.

A word is stated where it ends its clause or a reason follows; denied if it is negated or hedged in its clause, before
it (`not entirely correct`) or right after it (`correct: no`). The rules are for English.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from tasks.judging.statement import Unread

WORDS_BEFORE: Final = 6
"""So many words before a word can negate it."""

CHARACTERS_BEFORE: Final = 200
"""So many characters before a word are looked at."""

_CLAUSE_ENDS = re.compile(r"[.;:：!?\n|]|(?<!anything )\bbut\b|, (?:so|thus|hence|therefore)\b", re.IGNORECASE)
_DENIAL = re.compile(
    r"""\b(?:
        not | no(?!,) | never | nor | neither | none | nothing | cannot | without | lacks? | lacking | fail(?:s|ed)?
        | \w+n['’]t | hardly | barely | scarcely | unlikely | far\ from | anything\ but | rather\ than | instead\ of
        | partial(?:ly)? | partly | somewhat | almost | nearly | half | mostly | mainly | largely | generally
        | probably | possibly | perhaps | maybe | likely | arguably
        | would(?!\ (?:say|call|rate)) | could | might | may | non-
        | wrong | doubt\w* | refuse[sd]? | unable | unclear | unsure | uncertain
        | says | states | claims | asserts | argues
    )(?!\w)""",
    re.IGNORECASE | re.VERBOSE,
)
_CONDITION = re.compile(r"\b(?:if|whether|unless)\b", re.IGNORECASE)
_DENIED_AFTER = re.compile(r"""[\s*_`"']*[:=?,–—-]\s*[*_`"']*(?:no|not|false|0)\b(?!,?[ ]*\w)""", re.IGNORECASE)
_STATED_BEFORE = re.compile(
    r"""[^\w\n.,;:!?(–—-]*(?:[.,;:!(–—\n-]|\Z|</|(?:because|since|given|due|based|according|and|with)\b)""",
    re.IGNORECASE,
)
"""What may follow a word that is stated: the end of its clause, or a reason."""
_DETERMINER = re.compile(r"[ ]+\w")


def find_word(values: Mapping[str, float], text: str) -> float | Unread:
    """Return what the words of a reply are worth, in whatever case, if all that it says agree and one is stated."""
    words = tuple(sorted(values, key=len, reverse=True))
    said: dict[float, str] = {}
    denied: dict[float, str] = {}
    stated = set()
    for word, occurrence in _occurrences(words, text):
        value = values[word]
        found = denied if _is_denied(word, occurrence, text) else said
        found.setdefault(value, word)
        if found is said and _STATED_BEFORE.match(text, occurrence.end()):
            stated.add(value)
    if len(said) > 1:
        return Unread(f"says {_listed(said.values())}", settled=True)
    if denied and said.keys() <= denied.keys():
        return Unread(f"negates or hedges {_listed(denied.values())}", settled=True)
    if not said:
        return Unread(f"says none of {_listed(values)}")
    if not stated:
        return Unread(f"mentions {_listed(said.values())} and does not state it", settled=True)
    return stated.pop()


def _occurrences(words: tuple[str, ...], text: str) -> Iterator[tuple[str, re.Match[str]]]:
    for occurrence in _pattern(words).finditer(text):
        assert occurrence.lastindex is not None, "each word is a group"
        yield words[occurrence.lastindex - 1], occurrence


@lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Compile what finds a whole word, each in a group of its own; of two that begin alike the first."""
    either = "|".join(f"({re.escape(word)})" for word in words)
    return re.compile(rf"(?<!\w)_{{0,2}}(?:{either})_{{0,2}}(?!\w)", re.IGNORECASE)


def _is_denied(word: str, occurrence: re.Match[str], text: str) -> bool:
    before = text[max(0, occurrence.start() - CHARACTERS_BEFORE) : occurrence.start()]
    clause = _CLAUSE_ENDS.split(before)[-1]
    if _CONDITION.search(clause) or _DENIAL.search(" ".join(clause.split()[-WORDS_BEFORE:])):
        return True
    if _DENIED_AFTER.match(text, occurrence.end()):
        return True
    # "There are no errors" says nothing of the kind that "No." says.
    return word.casefold() == "no" and _DETERMINER.match(text, occurrence.end()) is not None


def _listed(words: Iterable[str]) -> str:
    return ", ".join(map(repr, words))
