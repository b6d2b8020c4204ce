"""What a judge said, as named numbers and labels; what cannot be read is a reason, never a silent 0."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, assert_never

from core.metric import Labels, Parsed, Parser, Preference, Range, Scale
from core.score_names import names_of_scale
from tasks.judging.forms import Form, T, numbers, words
from tasks.judging.parsers import as_number, find_number, read_number
from tasks.judging.prose import Unread, verdict_in
from tasks.judging.statement import Statement

LONGEST_REPLY: Final = 200_000
"""Characters of a reply, without its thinking; a longer one is no verdict, and would take memory by its multiples."""

CHOICES = {"A": 1.0, "Tie": 0.5, "B": 0.0}
"""What a preference is worth to target A."""

_SIGNS = "*_`\"'()[] \n"
"""What may stand around a word that is said."""

_CALLED = re.compile(r"(?:response|answer|assistant|candidate|model|option|output)[ _](?=\S)", re.IGNORECASE)
"""What the two answers are called, of which one is named."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One score of a judge: a number, a label, whether it passes, and what the judge said about it."""

    value: float | None = None
    label: str | None = None
    passed: bool | None = None
    feedback: str | None = None


def read_verdict(scale: Scale, text: str) -> dict[str, Verdict | Unread]:
    """Read a judge's reply into its scores by name, or why it does not give them; docs/judges.md has the rules."""
    if len(text) > LONGEST_REPLY:
        unread = Unread(f"the reply has {len(text):,} characters, of which at most {LONGEST_REPLY:,} are read")
        return dict.fromkeys(names_of_scale(scale), unread)
    said = Statement(text)
    match scale:
        case Parsed():
            return {name: _parsed(parser, scale.threshold, said) for name, parser in scale.scores.items()}
        case Labels():
            return {"label": _label(scale, said)}
        case Range():
            return {"score": _score(scale, said)}
        case Preference():
            return {"choice": _choice(said)}
        case _:
            assert_never(scale)


def combine_passes(straight: Verdict | None, swapped: Verdict | None) -> Verdict | None:
    """Return the preference of two passes, the second of which saw the two outputs exchanged.

    Passes that disagree are a tie: the judge preferred a position (Zheng et al. 2023). One that cannot be read leaves
    the decision to the other.
    """
    mirrored = swapped and _mirror(swapped)
    if straight is None or mirrored is None:
        return straight or mirrored
    return straight if straight.label == mirrored.label else Verdict(CHOICES["Tie"], "Tie", None, straight.feedback)


def _mirror(verdict: Verdict) -> Verdict:
    """Return the preference as it is when A and B are called by each other's name."""
    label = {"A": "B", "B": "A"}.get(verdict.label or "", verdict.label)
    value = None if verdict.value is None else 1.0 - verdict.value
    return replace(verdict, label=label, value=value)


def _parsed(parser: Parser, threshold: float | None, said: Statement) -> Verdict | Unread:
    value = find_number(parser, said)
    if isinstance(value, Unread):
        return value
    return Verdict(value, passed=None if threshold is None else value >= threshold)


def _label(scale: Labels, said: Statement) -> Verdict | Unread:
    label = _named(scale.labels, "label", said)
    if isinstance(label, Unread):
        return label
    passed = label in scale.passing
    return Verdict(float(passed), label, passed, said.text_under("feedback"))


def _score(scale: Range, said: Statement) -> Verdict | Unread:
    form = numbers(maximum=scale.maximum)

    def within(value: object) -> float | None:
        number = None if isinstance(value, bool) else as_number(value)
        if isinstance(value, str):
            number = read_number(re.sub(rf" ?(?:/|out of) ?{scale.maximum:g}\Z", "", value.strip()))
        return number if number is not None and scale.minimum <= number <= scale.maximum else None

    value = within(said.bare)
    if value is None:
        found = _given("score", within, said, wanted=f"a number from {scale.minimum:g} to {scale.maximum:g}", form=form)
        if isinstance(found, Unread):
            return found
        value = found
    return Verdict(value, None, value >= scale.threshold, said.text_under("feedback"))


def _given(key: str, read: Callable[[object], T | None], said: Statement, *, wanted: str, form: Form[T]) -> T | Unread:
    """Return what is under a key, or what prose without it states."""
    found = said.under(key, read, wanted=wanted, form=form)
    if not isinstance(found, Unread) or found.settled:
        return found
    stated = verdict_in(said.text, form)
    if isinstance(stated, Unread):
        return found
    value = read(stated)
    return Unread(f"states {stated!r}, which is not {wanted}") if value is None else value


def _choice(said: Statement) -> Verdict | Unread:
    choice = _named(tuple(CHOICES), "choice", said)
    if isinstance(choice, Unread):
        return choice
    return Verdict(CHOICES[choice], choice, None, said.text_under("feedback"))


def _named(known: tuple[str, ...], key: str, said: Statement) -> str | Unread:
    """Return the known word that stands under a key, or is the whole reply."""
    bare = _one_of(known, said.bare)
    if bare is not None:
        return bare
    wanted = f"one of {', '.join(map(repr, known))}"
    form = words({word: word for word in known})
    return _given(key, lambda value: _one_of(known, value), said, wanted=wanted, form=form)


def _one_of(known: tuple[str, ...], said: object) -> str | None:
    """Return the known word that was said: exactly, or as the only one but for its case and what dresses it."""
    if not isinstance(said, str):
        return None
    bare = said.strip().lstrip(_SIGNS).rstrip(_SIGNS + ".")
    for exact in (said, bare):
        if exact in known:
            return exact
    named = bare[called.end() :] if (called := _CALLED.match(bare)) else bare
    alike = [word for word in known if word.casefold() == named.casefold()]
    return alike[0] if len(alike) == 1 else None
