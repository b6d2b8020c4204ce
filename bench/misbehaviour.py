"""A model that misbehaves to a plan: what it does in the place of an answer, and what is to come of each call."""

import math
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Final, NamedTuple

import orjson

from core.result import CallOutcome
from tests.scripted import Answer, Received, failure, last_content, silence, text, trickle

JUDGE: Final = "judge"
"""How the names of models begin that are judges."""

JUDGE_GRADES: Final = 5
MAX_RETRIES: Final = 2
FAULTS_BEFORE_THE_END: Final = (0, 0, 0, 0, 1, 1, 1, 2, 2, MAX_RETRIES + 1)
FINAL_SHARE: Final = 0.12
"""Of the calls that end in an error that no retry mends."""


class Asked(NamedTuple):
    """What a request is for."""

    model: str
    sample: int

    @property
    def is_judge(self) -> bool:
        """Whether it is a judge that is asked."""
        return self.model.startswith(JUDGE)


@dataclass(frozen=True)
class Pause:
    """That a model asked for `seconds` of peace, in answer to a call."""

    asked: Asked
    at: float
    seconds: float

    @property
    def until(self) -> float:
        """When it is over."""
        return self.at + self.seconds


class Expected(NamedTuple):
    """What is to come of a call."""

    outcome: CallOutcome
    attempts: int


def _page() -> Answer:
    return Answer(b"<html><body>Bad gateway</body></html>", headers={"content-type": "text/html"})


def _said(**body: object) -> Answer:
    return Answer(orjson.dumps(body))


def _filtered() -> Answer:
    error = {"message": "The response was filtered", "code": "content_filter"}
    return Answer(orjson.dumps({"error": error}), status=400)


PASSING: Final[Mapping[str, Callable[[], Answer]]] = {
    "429": lambda: failure(429, "slow down"),
    "500": lambda: failure(500, "oops"),
    "503": lambda: failure(503, "overloaded"),
    "200 with an error": lambda: _said(error={"message": "overloaded"}),
    "no choices": lambda: _said(choices=[]),
    "broken JSON": lambda: Answer(b'{"choices": [{"mess'),
    "an HTML page": _page,
    "cut short, then closed": lambda: text("ok", cut=150, end="close"),
    "reset in the body": lambda: text("ok", cut=150, end="reset"),
    "silence": silence,
    "a byte a second": lambda: trickle("ok", gap_s=1.0),
}
"""What a later attempt may not meet."""

PAUSING: Final = ("Retry-After, seconds", "Retry-After, date", "retry-after-ms")
FINAL: Final[Mapping[str, tuple[CallOutcome, Callable[[], Answer]]]] = {
    "307 elsewhere": ("error", lambda: Answer(status=307, headers={"location": "https://elsewhere.example/v1"})),
    "413": ("error", lambda: failure(413, "too large")),
    "400, content filter": ("refused", _filtered),
    "200, content filter": ("refused", lambda: text("", finish_reason="content_filter")),
}
"""What no later attempt would mend, and how a call that meets it ends."""

UNREADABLE: Final = frozenset({"200 with an error", "no choices", "broken JSON", "an HTML page"})
"""A 200 that is no answer, and no error of a known kind: one more attempt is made after the first, and no third."""

SLOW: Final = frozenset({"silence", "a byte a second"})


def plan(chance: random.Random, most: int) -> list[str]:
    """Return the faults of a call, up to so many; the last of them may end it."""
    passing = [name for name in (*PASSING, *PAUSING, "retry-after-ms") for _ in range(1 if name in SLOW else 2)]
    faults: list[str] = []
    for fault in chance.choices(passing, k=min(most, chance.choice(FAULTS_BEFORE_THE_END))):
        if not _is_given_up(faults):
            faults.append(fault)
    if not _is_given_up(faults) and len(faults) < min(most, MAX_RETRIES + 1) and chance.random() < FINAL_SHARE:
        faults.append(chance.choice(list(FINAL)))
    return faults


def _is_given_up(faults: Sequence[str]) -> bool:
    return sum(fault in UNREADABLE for fault in faults) > 1


def expected(faults: Sequence[str]) -> Expected:
    """Return what is to come of a call with these faults."""
    if faults and faults[-1] in FINAL:
        return Expected(FINAL[faults[-1]][0], len(faults))
    if _is_given_up(faults):
        return Expected("error", len(faults))
    if len(faults) > MAX_RETRIES:
        return Expected("transient", len(faults))
    return Expected("answered", len(faults) + 1)


def answer_of(asked: Asked) -> str:
    """Return what a model says in the end: a target's answer is right for even samples, a judge's grade goes round."""
    if asked.is_judge:
        return f'{{"score": {grade(asked.sample)}}}'
    return f"a{asked.sample}" if is_right(asked.sample) else "I do not know"


def is_right(sample: int) -> bool:
    """Whether the target's answer is right."""
    return sample % 2 == 0


def grade(sample: int) -> int:
    """Return the judge's grade."""
    return sample % JUDGE_GRADES


def asked_of(request: Received) -> Asked:
    """Return what a request is for."""
    found = re.search(r"sample (\d+)", last_content(request["body"]))
    assert found
    return Asked(request["body"]["model"], int(found[1]))


def pause(name: str, now: float) -> tuple[dict[str, str], float]:
    """Return the headers that ask for a pause, and its seconds."""
    match name:
        case "Retry-After, date":
            date = math.ceil(now + 1.0)
            return {"retry-after": formatdate(date, usegmt=True)}, date - now
        case "Retry-After, seconds":
            return {"retry-after": "1"}, 1.0
    return {"retry-after-ms": "600"}, 0.6


@dataclass
class Misbehaving:
    """A script for the endpoint; `plans` are the faults by call, `pauses` and `injected` what became of them."""

    plans: Mapping[Asked, Sequence[str]]
    pauses: list[Pause] = field(default_factory=list)
    injected: Counter[str] = field(default_factory=Counter)
    attempts: Counter[Asked] = field(default_factory=Counter)

    def __call__(self, request: Received) -> Answer:
        """Answer as planned."""
        asked = asked_of(request)
        faults, attempt = self.plans[asked], self.attempts[asked]
        self.attempts[asked] += 1
        if attempt >= len(faults):
            return text(answer_of(asked))
        self.injected[faults[attempt]] += 1
        return self._fault(faults[attempt], asked)

    def _fault(self, name: str, asked: Asked) -> Answer:
        if name in PASSING:
            return PASSING[name]()
        if name in FINAL:
            return FINAL[name][1]()
        now = time.time()
        headers, seconds = pause(name, now)
        self.pauses.append(Pause(asked, now, seconds))
        return failure(429, "slow down", headers)
