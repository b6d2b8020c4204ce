"""What a verdict looks like in prose, one of some words or a number, and what a text after it says against it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

NAMES: Final = (
    "verdict|score|rating|grade|judge?ment|decision|evaluation|assessment|urteil|bewertung|punktzahl|veredicto?|puntuación"
    "|évaluation|jugement|note|evaluación|calificación|puntaje|avaliação|pontuação|nota|valutazione|giudizio|punteggio"
    "|beoordeling|oordeel|вердикт|оценка|判定|判断|评分|评估|评价|得分|分数|总分|評価|スコア|평가|판정|점수|총점"
)
"""What a heading calls a verdict."""

NAMES_OF_WORDS: Final = (
    rf"{NAMES}|label|status|choice|preference|result|conclusion|answer|antwort|ergebnis|respuesta|réponse|resposta"
    "|risposta|résultat|resultado|risultato|resultaat|fazit|conclusi(?:e|ón|one)|conclusão|ответ|итог|结论|結論|结果|結果|答案"
)

NEAR: Final = 60
"""So many characters before a word can negate it."""

SHORT: Final = 3
"""A sentence of so many words with another number corrects the first."""

QUALITY: Final = (
    r"(?:(?:very|quite|mostly|fully|partially) )?(?:excellent|outstanding|perfect|great|good|well done|nice"
    r"|solid|strong|fair|decent"
    r"|adequate|average|acceptable|satisfactory|moderate|mediocre|weak|poor|bad|terrible|clear|concise|accurate"
    r"|complete"
    r"|incomplete|correct|incorrect|wrong|well[- ]\w+|helpful|unhelpful|relevant|irrelevant|high|medium|low"
    r"|pass|fail)\b"
)
"""What a number is explained by in a word or two."""

_SUBJECT = (
    r"(?:it|this|that|(?:the|this) (?:(?:final|given|candidate) )?"
    r"(?:answer|response|reply|statement|claim|output|result|verdict)(?: [ab])?"
    r"|the (?:student|candidate|assistant|model)['’]s (?:final )?(?:answer|response|reply|output))"
)
_SURELY = r"(?:(?:clearly|completely|fully|entirely|factually|indeed|therefore|thus|also|definitely|and) ){0,4}"
_I_SAY = (
    r"i(?: would|['’]d| will|['’]ll| am|['’]m)? (?:going with|giving|rating|scoring|say|judge|rate|find"
    r"|consider|deem|call|mark|grade|score"
    r"|give|choose|conclude"
    r"|assign|award|assess|evaluate|classify|label|select|pick|vote|settle on|go with)"
    rf"(?: that|,|:)?(?: {_SUBJECT})?"
    r"(?: (?:is|to be|at|as|an?|of|score|rating|grade|solid|strong|clear|full)){0,5} "
)
_IT_EARNS = (
    rf"{_SUBJECT} (?:deserves|merits|earns|receives|scores)(?: (?:an?|score|rating|grade|of|solid|strong|full)){{0,5}} "
)
_OUT_OF = r"(?: ?(?:/|of|out of|von|sur|из) ?| (?:de|su) )"
_UNIT = r"(?: ?(?:points?|stars?|punkten?|puntos?|pontos?|punti|балл\w{0,2}|sterne|étoiles?|estrellas?)| ?[分点점])?"
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_GLOSS = (
    r"(?:(?: ?\(| ?[-–—:,] )"
    r"(?!.*\b(?:tentativ|provision|condition|borderlin|maybe|perhaps|probab|possib|likel|guess|un\w*sure"
    r"|uncertain|approx"
    r"|rough|estimat|confiden|draft|initial|prelim|pending|barely|almost|near|caveat|issue|reserv|respon|student|model"
    r"|claim|previous|actual"
    r"|(?:may|about|max|min|at|up|if|or|no|nor|not|never|was|were|would|should|could|might|for|by|per|from|plus|minus"
    r"|before|after|instead|than|out|of|wait)\b))"
    rf"(?:(?:meets|exceeds|needs|below|above) )?(?:{QUALITY}|improvement|expectations?)(?: (?:score|overall"
    rf"|quality|work|job|performance|structure))?\)?)?"
)
"""A few words in brackets or after a dash that say a number again: `4 (Good)`. None that doubts or limits it."""

_NEGATION = re.compile(
    r"(?:\b(?:not|never|nor|neither|no|without|cannot)|n['’]t)(?: [\w'’-]+){0,3}\W*\Z", re.IGNORECASE
)
_IS_SUBJECT = re.compile(r" \w+ (?:is|was|are|would|should)\b")
_SENTENCE = re.compile(r"(?:[^\n.!?;]|\.(?=\d))+")


@dataclass(frozen=True)
class Form(Generic[T]):
    """What a verdict looks like: how it is `written`, the `names` that a heading gives it, what leads in a `sentence`.

    The three are patterns, and so is `gloss`: the words right after a verdict that say it again. `worth` is the value
    of what fits the first; `is_denied` tells whether a text after a verdict gives another, or says that it is not so.
    """

    written: str
    names: str
    sentence: str
    gloss: str
    worth: Callable[[str], T]
    is_denied: Callable[[T, str], bool]


def words(values: Mapping[str, T]) -> Form[T]:
    """Return the form of words, in whatever case unless they are single letters; of two that begin alike the longer."""
    ordered = sorted(values, key=len, reverse=True)
    written = "|".join(f"(?-i:{re.escape(word)})" if len(word) == 1 else re.escape(word) for word in ordered)
    mention = re.compile(rf"(?<!\w)_{{0,2}}({written})_{{0,2}}(?!\w)", re.IGNORECASE)

    def worth(text: str) -> T:
        return values[next(word for word in (text, *ordered) if word in values and word.casefold() == text.casefold())]

    def is_denied(value: T, text: str) -> bool:
        return any(_opposes(word, text, agrees=worth(word[1]) == value) for word in mention.finditer(text))

    sentence = rf"{_SUBJECT}(?: is| was|['’]s) {_SURELY}(?:an? )?|{_I_SAY}"
    return Form(written, NAMES_OF_WORDS, sentence, "", worth, is_denied)


def _opposes(word: re.Match[str], text: str, *, agrees: bool) -> bool:
    """Tell whether a word speaks against a verdict: another, or the same with a negation before it.

    `no errors` and `the correct answer is Paris` speak of something else.
    """
    if word[1].casefold() == "no" and re.match(r" +\w", text[word.end() : word.end() + 9]):
        return False
    before = text[max(0, word.start() - NEAR) : word.start()]
    if before.lower().endswith("the ") and _IS_SUBJECT.match(text, word.end()):
        return False
    return agrees is (_NEGATION.search(before) is not None)


def numbers(names: str = NAMES, *, maximum: float | None = None) -> Form[float]:
    """Return the form of a number; of `8/10` the 8 counts, and only if 10 is the `maximum` where that is known."""
    whole = _NUMBER if maximum is None else re.escape(f"{maximum:g}") + r"(?:\.0)?"
    written = rf"{_NUMBER}(?:{_OUT_OF}{whole}| \(out of {whole}\))?{_UNIT}"
    mention = re.compile(rf"(?<![\w.])({_NUMBER})(?:{_OUT_OF}{_NUMBER})?(?![^\W分点점])")
    naming = re.compile(
        rf"(?<!\w)(?:{names}|rate|giv(?:e|ing)|gave|deserves?|merits?|award|should be)(?!\w)|\ban? \d+\b(?!-)"
        rf"|(?:[,:→–—-] ?|\bto ){written}\s*\Z",
        re.IGNORECASE,
    )

    def worth(text: str) -> float:
        return float(re.findall(_NUMBER, text)[0])

    def is_short(sentence: str) -> bool:
        return len(sentence.split()) <= SHORT and sentence.rstrip()[-1:].isdigit()

    def is_denied(value: float, text: str) -> bool:
        speaks = (each for each in _SENTENCE.findall(text) if naming.search(each) or is_short(each))
        return any(float(number) != value for sentence in speaks for number in mention.findall(sentence))

    return Form(written, names, f"{_I_SAY}|{_IT_EARNS}", _GLOSS, worth, is_denied)
