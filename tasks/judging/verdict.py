"""What a judge said, as named numbers and labels; what cannot be read is None, never a silent 0."""

from dataclasses import dataclass, replace
from typing import Any, assert_never

from core.metric import Labels, Parsed, Parser, Preference, Range, Scale
from tasks.judging.parsers import Statement, as_number, find_number, read_number

CHOICES = {"A": 1.0, "Tie": 0.5, "B": 0.0}
"""What a preference is worth to target A."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One score of a judge: a number, a label, whether it passes, and what the judge said about it."""

    value: float | None = None
    label: str | None = None
    passed: bool | None = None
    feedback: str | None = None


def read_verdict(scale: Scale, text: str) -> dict[str, Verdict | None]:
    """Read a judge's reply into its scores by name; None is a score that the reply does not give."""
    said = Statement(text)
    match scale:
        case Parsed():
            return {name: _parsed(parser, scale.threshold, said) for name, parser in scale.scores.items()}
        case Labels():
            return {"label": _label(scale, said.members)}
        case Range():
            return {"score": _score(scale, said.members)}
        case Preference():
            return {"choice": _choice(said.members)}
        case _:
            assert_never(scale)


def score_names(scale: Scale) -> tuple[str, ...]:
    """Return the names of a judge's scores: those of a Parsed scale, otherwise `label`, `score` or `choice`."""
    match scale:
        case Parsed():
            return tuple(scale.scores)
        case Labels():
            return ("label",)
        case Range():
            return ("score",)
        case Preference():
            return ("choice",)
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


def _parsed(parser: Parser, threshold: float | None, said: Statement) -> Verdict | None:
    value = find_number(parser, said)
    if value is None:
        return None
    return Verdict(value, passed=None if threshold is None else value >= threshold)


def _label(scale: Labels, reply: dict[str, Any]) -> Verdict | None:
    label = _one_of(scale.labels, reply.get("label"))
    if label is None:
        return None
    passed = label in scale.passing
    return Verdict(float(passed), label, passed, _feedback(reply))


def _score(scale: Range, reply: dict[str, Any]) -> Verdict | None:
    given = reply.get("score")
    value = read_number(given) if isinstance(given, str) else None if isinstance(given, bool) else as_number(given)
    if value is None or not scale.minimum <= value <= scale.maximum:
        return None
    return Verdict(value, None, value >= scale.threshold, _feedback(reply))


def _choice(reply: dict[str, Any]) -> Verdict | None:
    choice = _one_of(tuple(CHOICES), reply.get("choice"))
    return None if choice is None else Verdict(CHOICES[choice], choice, None, _feedback(reply))


def _one_of(known: tuple[str, ...], said: object) -> str | None:
    """Return the known word that was said: exactly, or as the only one that differs in case."""
    if not isinstance(said, str):
        return None
    for exact in (said, said.strip()):
        if exact in known:
            return exact
    alike = [word for word in known if word.casefold() == said.strip().casefold()]
    return alike[0] if len(alike) == 1 else None


def _feedback(reply: dict[str, Any]) -> str | None:
    feedback = reply.get("feedback")
    return feedback if isinstance(feedback, str) else None
