"""The parts of a specification, small enough that a test says only what it is about."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from core.endpoint import Endpoint, Prompt
from core.metric import Judge, MetricSpec, Preference, Range, Scale, StringCheck
from core.spec import EvaluationSpec, ModelTarget, Params, RecordedTarget, RowsDataset, Target, TaskSpec

CORRECT = StringCheck(name="correct", left="{{ sample.output_text }}", operator="equals", right="{{ item.answer }}")
GRADES = Range(minimum=0, maximum=4, threshold=3)
ONCE: dict[str, Any] = {"max_retries": 0, "parallelism": 1}
"""One call at a time, each made once."""
ITS_OWN = attrgetter("response")
"""Finds as the answer behind an output the one that the output has itself."""


def model(url: str | None, name: str = "target", **fields: Any) -> ModelTarget:
    return ModelTarget(name=name, endpoint=Endpoint(url=url, model="m", **fields))


def chat(content: str, **fields: Any) -> Prompt:
    return Prompt(body={"messages": [{"role": "user", "content": content}], **fields})


def judge(url: str, content: str = "grade {{ sample.output_text }}", scale: Scale = GRADES, **fields: Any) -> Judge:
    name = fields.pop("name", "graded")
    return Judge(name=name, endpoint=Endpoint(url=url, model="j", **fields), prompt=chat(content), scale=scale)


def preferring(url: str, *, swap: bool = True) -> Judge:
    prompt = "A={{ sample.output_a }} B={{ sample.output_b }}"
    return judge(url, prompt, Preference(swap=swap), name="preferred")


def recorded(*columns: str) -> tuple[RecordedTarget, ...]:
    return tuple(RecordedTarget(name=column, column=column) for column in columns)


def rows(count: int) -> list[dict[str, Any]]:
    """Rows whose question is answered rightly by the scripted endpoint as it is by default."""
    return [{"question": f"q{i} ANSWER: a{i}", "answer": f"a{i}"} for i in range(count)]


def spec(
    targets: Target | Sequence[Target],
    given: list[dict[str, Any]],
    *metrics: MetricSpec,
    prompt: str = "{{ item.question }}",
    **params: Any,
) -> EvaluationSpec:
    """One task `qa` with the same prompt for every target, and by default one call at a time, made once."""
    all_targets = [targets] if isinstance(targets, ModelTarget | RecordedTarget) else targets
    prompts = {target.name: chat(prompt) for target in all_targets if isinstance(target, ModelTarget)}
    task = TaskSpec(name="qa", dataset=RowsDataset(rows=given), prompts=prompts, metrics=metrics)
    return EvaluationSpec(targets=tuple(all_targets), tasks=(task,), params=Params(**(ONCE | params)))


Figure = float | None


def alike(value: Figure) -> tuple[Figure, Figure, Figure, Figure, Figure, Figure, Figure, Figure]:
    """Return the figures of a summary, for a test that is about none of them."""
    return (value, value, value, value, value, value, value, value)
