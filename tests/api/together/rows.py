"""Graded rows without a model: what a judge would have replied is given."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from api.together.present.grades import Graded, Tally, graded, to_results
from core.endpoint import Endpoint, Prompt
from core.metric import Judge, Labels, Preference, Range, Scale
from core.result import Call, CallKey, CallOutcome, Output, Score
from tasks.judging.grade import verdicts
from tasks.metrics.subject import subjects
from tasks.summaries.aggregator import Aggregator
from tests.tasks.specs import ITS_OWN

FAILED: CallOutcome = "transient"
LABELS = Labels(labels=("good", "bad", "ugly"), passing=("good",))
SCORES = Range(minimum=1, maximum=10, threshold=7)

Reply = str | None
"""The text of a judge's reply; None if the call failed."""

Answer = Callable[[str, str], Reply]
"""A judge that is shown two outputs."""


def judging(scale: Scale) -> Judge:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "?"}]}
    return Judge(name="judge", endpoint=Endpoint(model="j"), prompt=Prompt(body=body), scale=scale)


def said(**members: Any) -> str:
    return json.dumps({"feedback": "why", **members})


def output(sample: int, text: str | None, target: str = "target") -> Output:
    if text is None:
        return Output("t", sample, target, outcome="target_error", error="no answer")
    return Output("t", sample, target, text=text)


def call(sample: int, target: str, ordinal: int, reply: Reply) -> Call:
    key = CallKey("t", sample, target, 0, "judge", "judge", ordinal)
    if reply is None:
        return Call(key, FAILED, "{}", error="HTTP 500")
    response = json.dumps({"choices": [{"message": {"content": reply}}]})
    return Call(key, "answered", "{}", response=response)


def scored(judge: Judge, items: list[dict[str, Any]], outputs: Sequence[Output], calls: Sequence[Call]) -> list[Score]:
    about = subjects(judge, outputs, items, outputs[0].sample, responses=ITS_OWN)
    return list(verdicts(judge, about, {call.key: call for call in calls}))


def graded_alone(scale: Scale, replies: Sequence[tuple[str | None, Reply]]) -> list[Graded]:
    """Return rows by their outputs (None: not generated) and what the judge replied."""
    judge = judging(scale)
    items = [{"n": n} for n in range(len(replies))]
    outputs = [output(n, text) for n, (text, _) in enumerate(replies)]
    calls = [call(n, "target", 0, reply) for n, (text, reply) in enumerate(replies) if text is not None]
    return list(graded(judge, items, outputs, scored(judge, items, outputs, calls), calls))


def graded_pairs(scale: Preference, pairs: Sequence[tuple[str | None, str | None]], answer: Answer) -> list[Graded]:
    """Return rows by their two outputs, and how the judge replies to two that it is shown."""
    judge = judging(scale)
    items = [{"n": n} for n in range(len(pairs))]
    outputs = [each for n, (a, b) in enumerate(pairs) for each in (output(n, a, "a"), output(n, b, "b"))]
    calls = []
    for n, (a, b) in enumerate(pairs):
        if a is not None and b is not None:
            calls.append(call(n, "a", 0, answer(a, b)))
            if scale.swap:
                calls.append(call(n, "a", 1, answer(b, a)))
    return list(graded(judge, items, outputs, scored(judge, items, outputs, calls), calls))


def counted(scale: Scale, rows: Sequence[Graded]) -> dict[str, Any]:
    """Return what the rows came to, as it goes over the wire."""
    tally, aggregator = Tally(), Aggregator()
    for row in rows:
        tally.add(row)
    aggregator.add([row.score for row in rows])
    (summary,) = aggregator.summaries()
    return to_results(scale, tally, summary, "file-r").model_dump()
