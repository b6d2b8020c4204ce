"""What a result was made by, part by part, so that two results can be told apart: the names of what differs."""

import json
from collections.abc import Iterator
from typing import Literal, NamedTuple

from core.metric import Judge, MetricSpec
from core.plan import Manifest
from core.spec import ModelTarget, RecordedTarget, TaskSpec

Part = Literal[
    "dataset",
    "prompt",
    "generation",
    "model",
    "judge.model",
    "judge.prompt",
    "judge.generation",
    "judge.scale",
    "metric",
    "code",
]


class Component(NamedTuple):
    """A part of what a result was made by: of which task and metric ("" of none), and as canonical JSON."""

    part: Part
    task: str
    metric: str
    value: str


def components_of(manifest: Manifest, target: str) -> Iterator[Component]:
    """Yield the parts that a target's results come from; keys are references in it, and no part of it."""
    yield Component("code", "", "", _json(manifest.code_version))
    asked = next(each for each in manifest.spec.targets if each.name == target)
    match asked:
        case ModelTarget():
            yield Component("model", "", "", _json({"url": asked.endpoint.url, "model": asked.endpoint.model}))
            repeated = [manifest.spec.params.trials] if manifest.spec.params.trials > 1 else []
            yield Component("generation", "", "", _json([asked.generation, asked.reasoning.model_dump(), *repeated]))
        case RecordedTarget():
            yield Component("model", "", "", _json({"column": asked.column}))
    digests = {digest.task: digest.sha256 for digest in manifest.datasets}
    for task in manifest.spec.tasks:
        yield Component("dataset", task.name, "", _json(digests.get(task.name)))
        if target in task.prompts:
            yield Component("prompt", task.name, "", _json(task.prompts[target].model_dump()))
        for metric in task.metrics:
            yield from _of_metric(task, metric)


def _of_metric(task: TaskSpec, metric: MetricSpec) -> Iterator[Component]:
    if not isinstance(metric, Judge):
        yield Component("metric", task.name, metric.name, _json(metric.model_dump()))
        return
    endpoint = {"url": metric.endpoint.url, "model": metric.endpoint.model}
    made = [metric.generation, metric.reasoning.model_dump(), metric.reply_schema]
    yield Component("judge.model", task.name, metric.name, _json(endpoint))
    yield Component("judge.prompt", task.name, metric.name, _json(metric.prompt.model_dump()))
    yield Component("judge.generation", task.name, metric.name, _json(made))
    yield Component("judge.scale", task.name, metric.name, _json(metric.scale.model_dump()))


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
