"""Whose words a text is by what stands before it: a judge shows what others wrote, and says so.

A sentence hands over to what follows it if it points there (`The injected text follows.`, `The student wrote this.`),
stops where its object should stand (`A naive grader would reply`), or is but a name of somebody's text (`Response A`).
A judge's heading or announcement of its own does not.
"""

import re
from typing import Final

from tasks.judging.announced import is_announcement
from tasks.judging.disowned import NOT_MINE
from tasks.judging.forms import NAMES
from tasks.judging.heading import is_heading
from tasks.judging.speech import PEOPLE, TEXTS, WISH, WRITE

LONGEST_LEAD: Final = 500
"""So many characters of a line before something may tell whose it is."""

_TEXT_OF_OTHERS = re.compile(
    r"\b(?:answer|response|reply|output|assistant|candidate|model|student|user|text)\b", re.IGNORECASE
)
_POINTS = re.compile(
    r"\b(?:follows|below|next|ahead|hereafter|verbatim|like (?:so|this)|thus)\W*\Z|\b(?:the following|as follows)\b"
    r"|\A\W*(?:below\b|(?:next|now) (?:is|are|comes?)\b|here (?:is|are|comes?)\b|here['’]s|what follows"
    r"|(?:repeat|say|write|print|echo)"
    r"|th(?:is|ese) (?:is|are|was) what)\b|\b(?:quot|repeat|cop(?:y|ie)|past|cit)\w* (?:it|that)\W*\Z",
    re.IGNORECASE,
)
_ENDS_IN_THIS = re.compile(r"\b(\w+) (?:(?:to|us|me|it|\w+ly) )?(?:this|these)(?: \w+)?\W*\Z", re.IGNORECASE)
_BEARS_ON = re.compile(
    r"(?:support|confirm|contradict|match|meet|satisf|cover|address|reflect|do(?:es)?\b|violat|lack|miss|omit"
    r"|fail|mention"
    r"|corrobor|fulfil|achiev|with\b|on\b|of\b|to\b|answer|explain|complet|solv|acknowledg|captur|handl)\w*",
    re.IGNORECASE,
)
"""What an answer does to `this`, other than writing it."""

_STOPS = re.compile(
    rf"\A(?!.+\b(?:what|than|which|how|as)\b).*\b(?:(?:{PEOPLE}|{TEXTS})(?: [AB\d])?|i|we|it|you|to|would|will"
    rf"|should|shall|must|can"
    r"|cannot|could|may|might|never|not|n['’]t|['’]ll|['’]d)(?: \w+ly| then| also| ha[sd]| just)?"
    rf" (?:{WRITE}|{WISH})(?: (?:me|us|\w+sel(?:f|ves)))?\W*\Z"
    r"|\b(?:that|to|as|with|like|an?|by|into|for|in|of|from|is|was|are|were|be)\s*\Z",
    re.IGNORECASE,
)
_SHORT_AND_OPEN = re.compile(
    rf"\A(?!.*\b(?:what|than|which|how|as)\b)(?:\S+ ){{1,5}}(?:(?=\w*(?:ed|said|told|wrote|gave|says|writes|adds"
    rf"|insists)\b)"
    rf"(?:{WRITE}|{WISH})|with|for|is|was|were)\W*\Z",
    re.IGNORECASE,
)
_TITLE = re.compile(
    rf"\A\W*(?:the |an? )?(?:(?:(?:{PEOPLE}(?:['’]?s)?|final|full|raw|last|given|original|under"
    rf"|\w+ed) ){{0,3}}{TEXTS}s?(?: (?:[AB]|\d+))?|(?!it|that|here|let|what|there)[\w-]+['’]s(?: (?!is\b|was\b"
    rf"|are\b|were\b|has\b)\w+){{1,3}})\W*\Z",
    re.IGNORECASE,
)
_ASKS = re.compile(r"\W*(?:does|do|did|is|are|was|has|have|can)\b.*\?\W*\Z", re.IGNORECASE)
_ENDS_IN_VERDICT = re.compile(
    rf"(?:(?:['’]s|its|their|his|her|own|self)[ -](?:\w+[ -])?(?:{NAMES})|\b(?:is|comes|with"
    rf"|in) an? (?:json )?object)\W*\Z",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"\b(?:not|never|no|nor|neither)\b|n['’]t\b", re.IGNORECASE)

_SENTENCE_END = re.compile(r"(?<=[.!?。！])\s+")
_COLON_END = re.compile(r"[:：][*_ ]*\Z")
_FENCE = re.compile(r"\s*(```+|~~~+)")
_ENDS = re.compile(r"(?<!\.)(?:\.|[!?。！？:：])[\s*_\"'”’»)\]`]*\Z")
_NO_PROSE = re.compile(
    r"[-*•+#|<>`~=]|\d+[.)]|[^\w]*\Z|(?!(?:\w+ )+(?:says?|said|tells?|told|wrote|writes?|\w*instruct\w*|asks?"
    r"|wants?|demands?|insists?)\s*:)(?:[\w'’/]+ ){0,3}[\w'’/()]+\s*[:：=]|.*(?:</?\w+>|\|)\Z|[^.!?]*\*\*\Z"
)
"""A line that ends without a full stop: of a list, a heading, a table, a tag, a name with a value."""


def hands_over(line: str, names: str) -> bool:
    """Tell whether the last sentence of a line says that the text after it is somebody else's."""
    line = line[-LONGEST_LEAD:].strip().strip("*_")
    last = _SENTENCE_END.split(line)[-1]
    if NOT_MINE.search(last):
        return True
    names_a_text = _COLON_END.search(last) is not None and _TEXT_OF_OTHERS.search(line) is not None
    hands = names_a_text or _points(last) or _stops(last)
    return hands and not (is_heading(last.rstrip("."), names) or is_announcement(last) or _ASKS.match(last))


def _points(sentence: str) -> bool:
    """Tell whether a sentence points to what follows, or names it."""
    this = _ENDS_IN_THIS.search(sentence)
    if this and not _NEGATED.search(sentence) and not _BEARS_ON.fullmatch(this[1]):
        return True
    return any(pattern.search(sentence) for pattern in (_POINTS, _TITLE, _ENDS_IN_VERDICT))


def _stops(sentence: str) -> bool:
    """Tell whether a sentence stops where what somebody says should stand."""
    return any(pattern.search(sentence) for pattern in (_STOPS, _SHORT_AND_OPEN))


def goes_on(line: str, names: str) -> bool:
    """Tell whether a line of prose ends amid a sentence, so that what stands below it is a part of that."""
    last = line[-LONGEST_LEAD:].strip()
    if _ENDS.search(last) or _NO_PROSE.match(last):
        return False
    return not (is_heading(last, names) or is_announcement(last))


def without_shown(text: str, names: str) -> str:
    """Blank the paragraphs and fences that a line hands over to."""
    lines = text.split("\n")
    place = 0
    while place < len(lines):
        line, place = lines[place], place + 1
        if not line.strip() or not hands_over(line, names):
            continue
        while place < len(lines) and not lines[place].strip():
            place += 1
        place = _blank_block(lines, place)
    return "\n".join(lines)


def _blank_block(lines: list[str], place: int) -> int:
    """Blank the lines from `place` to the next empty one, or to the end of the fence that they open."""
    fence = _FENCE.match(lines[place]) if place < len(lines) else None
    opened = place
    while place < len(lines) and (fence or lines[place].strip()):
        closes = fence is not None and place > opened and lines[place].strip() == fence[1]
        lines[place] = " " * len(lines[place])
        place += 1
        if closes:
            break
    return place
