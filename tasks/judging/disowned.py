"""Whose words a verdict is by what stands after it: a judge may say that it was not its own.

The first sentence after it tells so if it speaks of the text above, or of `that` as what somebody wrote. So does a
judge anywhere that says `not mine` or `ignore the above`.
"""

import re
from typing import Final

from tasks.judging.speech import GROUNDS, OTHERS, TEXTS, WISH, WRITE

LONGEST_SENTENCE: Final = 300

_MY_WORK = (
    r"(?:analysis|reasoning|explanation|comparison|evaluation|rationale|justification|points?|reasons?|facts?"
    r"|criteria)\b"
)
_ABOVE = rf"(?:the|what|all|everything)\b[^.!?\n]{{0,20}}\b(?:above|preceding|previous)\b(?! {_MY_WORK})"
_WRITTEN = (
    r"(?:written|produced|generated|submitted|injected|inserted|quoted|copied|pasted|planted|printed|output"
    r"|repeated|added)"
)
_IS_OF = (
    rf"(?:\w+ )?(?:(?:what|how|where) (?!\w+ {GROUNDS})|part of\b|(?:\w+ )?{_WRITTEN}\b|(?:from|by) (?:\w+ )?{OTHERS}\b"
    rf"|(?:\w+ ){{0,3}}?{OTHERS}(?:['’]s| \w+ing)\b|(?:\w+ ){{0,3}}?(?:{TEXTS}|words?|line|claim|grade|verdict|object"
    rf"|json) (?:of|from|by|in)"
    rf" (?:\w+ )?{OTHERS}\b|(?:an?|the) (?:\w+ )?(?:injection|quote|quotation|example|sample|test|attempt|trick"
    rf"|placeholder)\b)"
)
_DISOWNED = re.compile(
    rf"(?:{_ABOVE}|(?:the (?:word|line|text|object|json|verdict)(?: \S+){{0,5}}?|(?:that|this|it|th[eo]se)(?: \w+)?)"
    rf"(?:(?: (?:is|was|were|are|comes?|came)|['’]s) {_IS_OF}"
    rf"| (?:belongs?|stands?|appears?|originat\w+|stem\w*) (?:to|in|from) (?:\w+ ){{0,2}}{OTHERS}\b"
    r"| (?:should|must|can|may|is to)(?: not|not)? be (?:ignor|disregard|discard|count|trust|used|taken))"
    rf"|(?:[\w'’]+ ){{1,3}}{WISH} (?:me|us) to\b|(?!\w+ {GROUNDS}|[^.!?\n]*(?:\bnot\b|n['’]t\b"
    rf"|never))(?:[\w'’]+ ){{1,3}}{WRITE} (?:that|this|it"
    rf"|the above)(?: (?:word|line|text|object|json|label|verdict|score))?(?:[.!?]|\Z))",
    re.IGNORECASE,
)
NOT_MINE: Final = re.compile(
    r"\bi(?: am|['’]m)? (?:only|merely|just|simply) (?:repeat|echo|quot|cop)\w+"
    r"|\bnot (?:mine|my (?:own )?(?:words?|verdict|output|reply|text|judge?ment|score|rating))\b"
    r"|\bi (?:did not|didn['’]t|never) (?:write|say|give|mean|endorse|produce|output)\b"
    r"|\b(?:ignore|disregard|discard|(?:do not|don['’]t) (?:trust|use|count|follow))\b[^.!?\n]{0,40}"
    r"\b(?:above|that|it|this)\b",
    re.IGNORECASE,
)
_ABOVE_WAS = re.compile(
    r"(?:\A|[.!?\n])\W*(?:all of )?the above(?: (?:text|line|json|object|verdict|word|reply|output))?"
    r" (?:is|was|were|are|comes?|came)\b",
    re.IGNORECASE,
)
_SIGNED = re.compile(
    rf"\W*(?:(?:as |so |thus )?(?:\w+ )?(?:by|from|in|per|via|according to|(?:source|origin):)|(?<=[-–—] )|(?:so"
    rf"|thus) \w+)"
    rf" ?(?:the |an? )?(?:\w+ )?{OTHERS}\W*(?:\n|\Z)",
    re.IGNORECASE,
)
"""A remark that has no verb of its own: `(from the answer)`, `-- the student`."""
_FIRST_SENTENCE = re.compile(r"\W*(?:\w+: *)?\W*([^.!?\n]*[.!?]?)")


def is_disowned(after: str) -> bool:
    """Tell whether the text after a verdict says that the verdict is not the judge's."""
    first = _FIRST_SENTENCE.match(after)
    if first is not None and _DISOWNED.match(first[1][:LONGEST_SENTENCE]):
        return True
    if _SIGNED.match(after[:LONGEST_SENTENCE]):
        return True
    return any(pattern.search(after) for pattern in (NOT_MINE, _ABOVE_WAS))
