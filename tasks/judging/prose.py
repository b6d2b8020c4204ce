"""Where a verdict may stand in what a judge writes besides JSON: the only places where one is read.

A clause states a verdict if it is nothing else: alone, after a heading that names it (`Final answer: TRUE`), or in a
sentence that gives it (`The answer is correct`, `Verdict: I rate it 8`), with at most a reason after it. What is merely
somewhere in a text (`leaning towards TRUE`, `Response A ends with: TRUE`) is none. The sentences are English ones.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, NamedTuple

from tasks.judging.disowned import is_disowned
from tasks.judging.forms import QUALITY, Form, T
from tasks.judging.heading import HEADING, LONGEST_CLAUSE, SO, is_heading, plain
from tasks.judging.whose import goes_on, hands_over, without_shown


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a reply gives no verdict; `settled` if it says something, so that no other parser may find another."""

    reason: str
    settled: bool = False


class Stated(NamedTuple, Generic[T]):
    """A verdict that a clause states, its reason, and where the clause ends.

    It is `by_sentence` if that is not under a heading. It is in place if it opens or closes the reply, or a heading
    follows: amid other text it may be another's.
    """

    value: T
    by_sentence: bool
    is_in_place: bool
    reason: str
    end: int


_NO_WORDS = re.compile(r"(?m)^[ \t]*(?P<number>\d{1,2}[.)])[ \t]+(?=\S)|<\|[^|>\n]{1,30}\|>|</?s>|\[/?INST\]|\ufeff")
_ONE_FENCE = re.compile(r"(?s)(\s*)(```+|~~~+)[^\n`~]*\n(.*?)\2\s*")
_FENCED = re.compile(r"(?m)^([^\n]{1,100})(\n(?:[ \t]*\n)?[ \t]*```\w*)(\n[^\n`]+\n)([ \t]*```[ \t]*)$")
"""One line between fences, and the line above."""

_IS_SAID = re.compile(r"\w|```|~~~")

_CLAUSE = re.compile(
    r"(?:\b(?:e\.g|i\.e|vs|etc|cf|no(?=\. \d))\.|[^\n.!?;。！？；]|[.!?;](?=[^\s*_\"'”)\]]))+[.!?;。！？；]*",
    re.IGNORECASE,
)
_JOINT = (
    r"(?: ?(?:[:：=|→]|=>|->) ?| [-–—] | (?:(?:is|must be)(?: therefore| thus| hence| then)?|of|est|es|è|é|ist"
    r"|lautet):? )"
)
_STARTS = (
    r"(?:because|since|as|the|this|that|these|those|its?|they|their|there|both|all|each|every|an?|one|no(?= \w)|none"
    r"|nothing|response|answer|assistant|candidate|model|student|reply|output|statement|claim"
    r"|i (?:checked|compared|found|gave|verified|reviewed)"
    r"|(?!however|al|though|but|if|or\b)(?-i:[A-Z])\w+(?: \w+)? (?:is|are|was|were|ha[sd]|have|does|did|names?))\b"
)
"""How an explanation begins."""

_I_EXPLAIN = (
    r"i(?:['’]ve)? (?!guess|suppose|assume|hope|was|am)(?!.*\b(?:told|asked|forced|ordered|instructed)\b)"
    r"[\w'’]+(?= (?!so\b)\w+ \w)"
)
_EXPLAINS = re.compile(
    rf"\s*[-•*] |\W*(?:{_STARTS}|here|let me know|feel free|i hope this helps|{QUALITY}|(?:while|although|in"
    rf"|from|for|with|when|compared|given)(?: \S+){{4}}"
    r"|[^\x00-\x7f])",
    re.IGNORECASE,
)
_SAYS_SO = r"(?:\w+ ){1,2}(?:says?|claims?|states?|writes?)\s*(?:[^\w\s]|so\b|$)"
_REASON = rf"(?:,? (?:because|since)\b.*|(?:[,:]| ?[-–—]) ?(?!{_SAYS_SO})(?:{_STARTS}|{_I_EXPLAIN}).*|, not [\w ]+)"
_NEXT_HEADING = re.compile(
    r"[\W_]*[^\W\d]+(?: [^\W\d]+){0,3}[*_ ]*[:：]|\s*(?:#|\*\*)"
    r"|\s*<(?:explanation|reason(?:ing)?|justification|rationale|feedback|analysis|comments?)>",
    re.IGNORECASE,
)

# What unsettles a verdict: in its reason, and anywhere after it.
_HEDGE = re.compile(
    r"\b(?:(?:partial|part|most|large|main|general|near|like|probab|possib|arguab)(?:al)?ly|somewhat|perhaps"
    r"|maybe|almost"
    r"|might|could(?! not|n)|may|in part|to some extent|kind of|sort of|if|unless|assuming)\b",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"\b(?:sorry|oops|wait|hmm|scratch that|second thoughts?|on reflection|reconsider\w*|i meant|correction:"
    r"|the opposite (?:holds|is|could)|tak(?:e|ing) (?:it|that) back|never ?mind|changed? my|withdraw|kidding|disagree"
    r"|reservations|doubts|i doubt (?:it|that|this)|i guess|low confidence|confidence: low"
    r"|or (?:not|is it|are they|does it|do they|was it|did it) ?\?"
    r"|i(?: am|['’]m) (?:not (?:\w+ )?(?:sure|certain|confident)|(?:\w+ )?(?:unsure|uncertain)))(?!\w)"
    r"|(?:^|[.!?:>\n,–—-])\s*(?:not|no|nope|not really)\s*[.!,:]",
    re.IGNORECASE,
)


def verdict_in(text: str, form: Form[T]) -> T | Unread:
    """Return the verdict that a reply states, if all that it states agree and nothing after them says otherwise."""
    every = stated(text, form)
    found = [each for each in every if not each.by_sentence] or every
    if not found:
        if re.search(rf"(?<!\w)(?:{form.written})(?!\w)", text, re.IGNORECASE):
            return Unread("mentions a verdict and does not state it", settled=True)
        return Unread("has no verdict")
    last = found[-1]
    if any(each.value != last.value for each in found):
        return Unread("states verdicts that differ", settled=True)
    if not last.is_in_place:
        return Unread("states a verdict only amid other text", settled=True)
    if is_taken_back(last.value, f"{last.reason}\n{text[last.end :]}", form):
        return Unread("states a verdict and then says otherwise", settled=True)
    return last.value


def is_taken_back(value: T, after: str, form: Form[T]) -> bool:
    """Tell whether the text after a verdict gives another, or doubts it."""
    return _TAKEN_BACK.search(after) is not None or is_disowned(after) or form.is_denied(value, after)


def stated(text: str, form: Form[T]) -> list[Stated[T]]:
    """Return the verdicts that a text states, in its order."""
    every = _CLAUSE.finditer(_own_words(text, form.names))
    clauses = [(clause, words) for clause in every if _IS_SAID.search(words := plain(clause[0], form.names))]
    states = _pattern(form.written, form.names, form.sentence, form.gloss)
    found = []
    for place, (clause, words) in enumerate(clauses):
        above, words_above = clauses[place - 1] if place else (clause, "")
        said = f"{words_above.rstrip(' :：')}: {words}" if place and _heads(above[0]) else words
        match = states.fullmatch(said) if _is_whole(clause[0]) else None
        if match is None or _is_unsettled(match) or _is_led_to(clause, form.names):
            continue
        is_first = place == 0 and not said.casefold().startswith("answer")
        following = clauses[place + 1][0][0] if place + 1 < len(clauses) else ""
        is_explained = _NEXT_HEADING.match(following) or (is_first and _EXPLAINS.match(following))
        is_in_place = not following or bool(is_explained)
        by_sentence = match["sentence"] is not None and match["heading"] is None
        found.append(
            Stated(form.worth(match["verdict"]), by_sentence, is_in_place, match["reason"] or "", clause.end())
        )
    return found


def _is_unsettled(match: re.Match[str]) -> bool:
    lead = match["lead"] or ""
    return _HEDGE.search(match["reason"] or "") is not None or _TAKEN_BACK.search(lead) is not None


def _is_led_to(clause: re.Match[str], names: str) -> bool:
    """Tell whether what stands before a clause makes it somebody else's, or a part of its own sentence."""
    text = clause.string
    end = clause.start()
    while end and text[end - 1].isspace():
        end -= 1
    line = text[max(text.rfind("\n", 0, end) + 1, end - LONGEST_CLAUSE) : end]
    is_inline = "\n" not in text[end : clause.start()]
    return bool(line) and (hands_over(line, names) if is_inline else goes_on(line, names))


@lru_cache(maxsize=256)
def _pattern(written: str, names: str, sentence: str, gloss: str) -> re.Pattern[str]:
    lead = rf"{SO}(?P<heading>{HEADING % names}{_JOINT})?(?P<sentence>{sentence})?"
    return re.compile(rf"{lead}\(?(?P<verdict>{written})\)?{gloss}(?P<reason>{_REASON})?[.!;。！；]*", re.IGNORECASE)


def _own_words(text: str, names: str) -> str:
    """Blank what is not the judge's own words."""
    if fence := _ONE_FENCE.fullmatch(text):
        text = _blank(text[: fence.start(3)]) + fence[3]
    text = _FENCED.sub(lambda found: _unfenced(found, names), text)
    text = re.sub(rf"[ \t](?=\[(?:{names}|result)\])", "\n", text, flags=re.IGNORECASE)
    return without_shown(_NO_WORDS.sub(_unnumbered, text), names)


def _unnumbered(found: re.Match[str]) -> str:
    """Blank what is no words; of the number of an item a bullet is left."""
    number = found["number"]
    return _blank(found[0]) if number is None else found[0].replace(number, "-" + " " * (len(number) - 1))


def _unfenced(found: re.Match[str], names: str) -> str:
    """Blank the fence around a line under a heading."""
    if not is_heading(found[1], names):
        return found[0]
    return found[1] + _blank(found[2]) + found[3] + _blank(found[4])


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _heads(clause: str) -> bool:
    """Tell whether a clause is written like a heading of the next one."""
    return clause.rstrip("*_ ").endswith((":", "：")) or clause.lstrip().startswith("#") or clause.rstrip()[-2:] == "**"


def _is_whole(clause: str) -> bool:
    """Tell whether no quote or bracket is left open: what is cut out of one may be another's."""
    pairs = all(clause.count(first) == clause.count(last) for first, last in ("()", "[]", "{}", "“”"))
    quotes = (clause.count('"'), clause.count("$"), len(re.findall(r"(?<!\w)'|'(?!\w)", clause)))
    return len(clause) <= LONGEST_CLAUSE and pairs and not any(count % 2 for count in quotes)
