"""The clauses of a judge's prose without their markup, and what may head a verdict in them or lead to one."""

import re
from functools import lru_cache
from typing import Final

LONGEST_CLAUSE: Final = 2000
"""No clause that states a verdict has more characters."""

MINE: Final = (
    r"(?:\b(?:my|our|mon|ma|notre|meine?|unsere?|mi|nuestr[ao]|minha|meu|mio|mia|mijn|мо[йяё])|我的|私の|제|저의)"
)
_HERE: Final = (
    r"here(?: is|['’]s)|this is|voici|hier (?:ist|kommt|is)|aquí (?:está|tienes?)|aqui está|ecco|вот|以下是|これが"
)
OWN: Final = rf"(?:(?:{_HERE}) ?)?(?:(?:the|an?|le|la|das|die|der|el|il|o) |l['’])?(?:{MINE} ?)?"
"""How what a judge calls its own begins."""

UNCERTAIN: Final = (
    r"if|unless|would|could|might|may|maybe|perhaps|assum\w+|suppos\w+|presum\w+|pretend\w*|hypothe\w+|pressed|forced"
)
REPORTED: Final = (
    r"says?|said|tells?|told|writes?|wrote|thinks?|thought|believes?|believed|feels?|argue[sd]?|claim(?:ed|s to)"
    r"|insist\w*|asserts?|asserted|declare[sd]?|states?|stated|according|allege\w*|demand\w*|wants?|wanted"
)
"""Words that make what follows somebody's, or a possibility."""

_OWN_WORD = rf"(?!(?:{UNCERTAIN}|{REPORTED})\b)\S+"
_WORDS = rf"{_OWN_WORD}(?: {_OWN_WORD}){{0,40}}?"
_LED_IN = (
    r"(?:(?:in (?:conclusion|summary|short|sum|my (?:view|opinion|judge?ment|assessment|evaluation|analysis))"
    r"|on (?:balance|the whole)|all (?:in all|things considered)|taken together|ultimately|as a result"
    r"|(?:based on|given) (?:this|the|these|my) (?:above|analysis|comparison|criteria|evaluation|assessment))[,:]? "
    r"|(?:after|having|based|given|considering|looking|comparing|reviewing|weighing|taking|upon|since|because|while"
    rf"|although|despite|in light|compared|judged|for th\w+|to (?:conclude|sum)) {_WORDS}(?:(?<=,) |(?<=\w) (?=i\b)))"
)
_CONSEQUENCE = rf"{_WORDS}(?<=[,;–—-]) (?:and )?(?:so|therefore|thus|hence|(?:which )?mak(?:es|ing) (?:it|this)),? "
SO: Final = (
    r"(?:(?:sure|okay|ok|alright|right|well|certainly|so|therefore|thus|hence|overall|finally|ultimately"
    rf"|(?:yes|no)(?=[,:!]))\b[,:!]? ?)?(?:(?P<lead>{_LED_IN}|{_CONSEQUENCE}))?"
)
"""What may lead to a verdict: a word, what the judge did or looked at, a reason and `so`."""

_FINAL: Final = (
    r"(?:final|overall|own|total|evaluation|finale[rs]?|endgültige[rs]?|abschließende[rs]?"
    r"|итогов\w\w|финальн\w\w|общ\w\w) "
    r"|gesamt|end|schluss|eind|最[终終后]|总体|综合|総合|최종 ?|종합 ?"
)
_FINAL_AFTER: Final = r"(?:finale?|totale?|globale?|general|générale?|complessiv[ao]|définiti(?:f|ve)|definitiv[ao])"
HEADING: Final = (
    rf"{OWN}(?:{_FINAL}){{0,3}}"
    rf"(?:%s|final|overall)(?: {_FINAL_AFTER})?(?:结果|結果)?(?: \((?:out of |from )?\d[^()]{{0,20}}\))?"
    r"(?:,? (?:is|as follows|in json|object|below|follows|for (?:the|this) (?:answer|response))){0,2}"
)

_MARKUP = re.compile(
    r"\\(?:boxed|text|mathbf|textbf)\b|\[(?![ xX]\])|[*`{}\]\"“”«»$✅✔☑👍\ufe0f]|^\s*#+\s|^\s*[-•+]\s+(?=\D)|^\s*\|"
    r"|[|,]\s*$|(?<!\w)['‘_]+|['’_]+(?!\w)"
)
_FENCE = re.compile(r"\s*(?:```|~~~)")


def is_heading(text: str, names: str) -> bool:
    """Tell whether a clause names the verdict that follows it."""
    return _heading(names).fullmatch(plain(text, names).rstrip(" :：")) is not None


@lru_cache(maxsize=64)
def _heading(names: str) -> re.Pattern[str]:
    return re.compile(rf"{SO}(?:{HEADING % names})?", re.IGNORECASE)


def plain(clause: str, names: str) -> str:
    """Return a clause without markup; a tag that is named like a verdict is a heading, any other is text."""
    tag = rf"<(/?)(?:(?:final|overall|my)[_ -])?({names}|final)>|\[{{1,2}}(?:{names}|result)\]{{1,2}}:? ?(?=\S)"
    name = names.split("|")[0]
    tagged = re.sub(tag, lambda tag: "" if tag[1] else f"{tag[2] or name}: ", clause[:LONGEST_CLAUSE], flags=re.I)
    return clause if _FENCE.match(clause) else re.sub("  +", " ", _MARKUP.sub("", tagged)).strip()
