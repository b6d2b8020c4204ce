"""What a judge announces as its own, such as `Here is my evaluation of the answer:` or `The result is below`."""

import re

from tasks.judging.heading import MINE
from tasks.judging.speech import PEOPLE, REMARKS, TEXTS, WRITE

_ANNOUNCES = re.compile(
    r"(?:\b(?:here(?: is| are|['’]s)|(?:below|following) is|is as follows|follows|the following|below|i(?:['’]ll| will)"
    r"|i now|let(?: me|['’]s)|voici|hier (?:ist|kommt)|ecco)\b|aquí|aqui|вот|以下是)",
    re.IGNORECASE,
)
_REMARK = re.compile(rf"(?<!\w)(?:{REMARKS}|results?)(?!\w)|评价|评估|评分|評価", re.IGNORECASE)
_MY_REMARK = re.compile(rf"{MINE} ?(?:\w+ )?{REMARKS}(?![a-z])", re.IGNORECASE)
_SECTION = re.compile(rf"\A\W*(?:the |step \d+\W+)?{REMARKS} (?:of|about|on|for)\b", re.IGNORECASE)
_ARRIVES = re.compile(r"\bi arrive at the following\b", re.IGNORECASE)

_REMARK_ON_TEXT = re.compile(rf"{REMARKS} (?:of|on|about|for|regarding) (?:\S+ ){{0,4}}?{TEXTS}s?\b", re.IGNORECASE)
_I_GIVE = re.compile(
    r"\bi(?:['’]ll| will| now| would)?(?: now)? (?:give|provide|return|output|state|write)\b", re.IGNORECASE
)
_TEXT = re.compile(rf"\b{TEXTS}s?\b", re.IGNORECASE)
"""What is left aside: the judge's own verb, and what its remark is on."""

_WRITTEN = re.compile(rf"\b{WRITE}\b", re.IGNORECASE)
_BY_ANOTHER = re.compile(
    rf"(?<!\bhere)(?<!\blet)(?<!\bit)(?<!\bthat)['’]s? (?:\w+ ){{0,2}}?{REMARKS}"
    rf"|{REMARKS} (?:by|from|of (?:an?|another|some|his|her|their))\b",
    re.IGNORECASE,
)
_OF_ANOTHER = re.compile(
    r"\b(?:says?|said|wrote|writes|contains?|gives?|gave|ends?|claims?|reads|quot\w+|submit\w+|inject\w+|demand\w+"
    rf"|{PEOPLE}|sample|template|example|not|never|n['’]t|instead|would|return(?:s|ed)|print(?:s|ed)|produced"
    rf"|emitted|replied|generated|supplied|fake|false|bogus|hidden|forged|planted"
    rf"|alleged|supposed)\b",
    re.IGNORECASE,
)
"""What tells that an announcement is of somebody else's words, or of nobody's."""


def is_announcement(sentence: str) -> bool:
    """Tell whether a judge says in a sentence that its evaluation follows, and nothing of what others said."""
    said = _REMARK_ON_TEXT.sub("evaluation", _I_GIVE.sub("", sentence))
    if _BY_ANOTHER.search(said):
        return False
    if _MY_REMARK.search(said):
        return _WRITTEN.search(_TEXT.sub("", said)) is None
    if _OF_ANOTHER.search(said):
        return False
    announces = _ANNOUNCES.search(sentence) is not None and _REMARK.search(sentence) is not None
    return announces or any(pattern.search(sentence) for pattern in (_SECTION, _ARRIVES))
