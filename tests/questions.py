"""Questions whose fate is scripted, so that every face that evaluates them has to come to the same figures."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

import orjson

from tests.scripted import Answer, Received, failure, last_content, text

NO_ANSWER, WITHHELD, JUDGE_AWAY, JUNK = "no answer", "answer withheld", "judge away", "judge says junk"
OUTCOMES = {NO_ANSWER: "target_error", WITHHELD: "refused", JUDGE_AWAY: "judge_error", JUNK: "judge_unparsable"}
FATES = (1.0, 0.75, 0.25, NO_ANSWER, 0.5, 0.0, WITHHELD, 1.0, JUDGE_AWAY, 0.125, JUNK, 1.0, 0.375, 0.875, 0.6)
"""The grades of the questions, or why they have none; so many fail as Together's jobs may complete with."""

PASSING = 0.5

Sample = tuple[str | None, str, float | None]
"""What became of a question: the output, the outcome and the grade."""

_QUESTION = re.compile(r"question (\w+) (\d+)")
_ANSWER = re.compile(r"answer (\w+) (\d+)")


class Figures(NamedTuple):
    """What is said of an evaluation: how many samples, how many scored, their mean, and the share that passes."""

    samples: int
    scored: int
    failed: int
    mean: float | None
    passing: float | None


@dataclass(frozen=True)
class Questions:
    """Questions that no other set has: their texts name the set by its `tag`."""

    tag: str
    fates: Sequence[float | str] = FATES

    @property
    def rows(self) -> list[dict[str, Any]]:
        numbers = range(len(self.fates))
        return [{"question": f"question {self.tag} {n}", "answer": f"expected {self.tag} {n}"} for n in numbers]

    @property
    def figures(self) -> Figures:
        grades = [fate for fate in self.fates if isinstance(fate, float)]
        passing = sum(grade >= PASSING for grade in grades) / len(grades)
        return Figures(len(self.fates), len(grades), len(self.fates) - len(grades), fmean(grades), passing)

    @property
    def samples(self) -> list[Sample]:
        outputs = (None if fate in (NO_ANSWER, WITHHELD) else self.output(n) for n, fate in enumerate(self.fates))
        return [(output, *_ending(fate)) for output, fate in zip(outputs, self.fates, strict=True)]

    def output(self, number: int) -> str:
        return f"answer {self.tag} {number}"


class Models:
    """The script of a target and a judge of these sets: what they say does not depend on who asks."""

    def __init__(self, *sets: Questions) -> None:
        self._sets = {questions.tag: questions for questions in sets}

    def __call__(self, call: Received) -> Answer:
        judging = call["body"]["model"] == "judge"
        said = last_content(call["body"])
        found = (_ANSWER if judging else _QUESTION).search(said)
        assert found, said
        questions, number = self._sets[found[1]], int(found[2])
        fate = questions.fates[number]
        return _verdict(fate) if judging else _answer(fate, questions.output(number))


def _answer(fate: float | str, output: str) -> Answer:
    if fate == NO_ANSWER:
        return failure(403, "not this question")
    return text("", finish_reason="content_filter") if fate == WITHHELD else text(output)


def _verdict(fate: float | str) -> Answer:
    """Return a reply in which every face finds the grade under the name that it looks for."""
    if not isinstance(fate, float):
        return failure(403, "not this answer") if fate == JUDGE_AWAY else text("I had rather not say.")
    grades = {"score": fate, "answer_relevance": fate, "binary_correctness": int(fate >= PASSING)}
    return text(orjson.dumps({"feedback": "because", **grades}).decode())


def _ending(fate: float | str) -> tuple[str, float | None]:
    return ("scored", fate) if isinstance(fate, float) else (OUTCOMES[fate], None)
