"""What a result was made by, part by part, so that two results can be told apart: the names of what differs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from core.metric import Judge, MetricSpec
from core.plan import Manifest
from core.spec import ModelTarget, RecordedTarget, TaskSpec

Part = Literal[
    "dataset",
    "prompt",
    "generation",
    "model",
    "reference",
    "judge.model",
    "judge.prompt",
    "judge.generation",
    "judge.scale",
    "metric",
    "code",
]


NOT_KNOWN: Final[Mapping[str, Sequence[str]]] = MappingProxyType({})


class Component(NamedTuple):
    """A part of what a result was made by: of which task and metric ("" of none), and as canonical JSON."""

    part: Part
    task: str
    metric: str
    value: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A part of what the results were made by that is not the same on both sides; None where a side lacks it."""

    part: Part
    task: str
    metric: str
    baseline: str | None
    candidate: str | None


def components_of(
    manifest: Manifest, target: str, *, trials: int, served: Mapping[str, Sequence[str]] = NOT_KNOWN
) -> Iterator[Component]:
    """Yield the parts that a target's results come from, so many trials; keys are references in it, and no part.

    `served` are the models that answered by their own words, by target.
    """
    spec = manifest.spec
    yield Component("code", "", "", _json(manifest.code_version))
    for part, value in _of_target(manifest, target, trials, served):
        yield Component(part, "", "", _json(value))
    if spec.reference is not None:
        own = dict(_of_target(manifest, spec.reference, trials, served))
        yield Component("reference", "", "", _json(own))
    digests = {digest.task: digest for digest in manifest.datasets}
    for task in spec.tasks:
        if found := digests.get(task.name):
            yield Component("dataset", task.name, "", _json({"sha256": found.sha256, "rows": found.rows}))
        if target in task.prompts:
            yield Component("prompt", task.name, "", _json(task.prompts[target].model_dump()))
        if spec.reference in task.prompts:
            yield Component("reference", task.name, "", _json(task.prompts[spec.reference].model_dump()))
        for metric in task.metrics:
            yield from _of_metric(task, metric)


def _of_target(
    manifest: Manifest, name: str, trials: int, served: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Part, object]]:
    """Yield what answers, and how it is asked, besides its prompts."""
    target = next(each for each in manifest.spec.targets if each.name == name)
    match target:
        case ModelTarget():
            answered = {"served_as": list(served[name])} if name in served else {}
            yield "model", {"url": target.endpoint.url, "model": target.endpoint.model, **answered}
            repeated = [trials] if trials > 1 else []
            yield "generation", [target.generation, target.reasoning.model_dump(), *repeated]
        case RecordedTarget():
            yield "model", {"column": target.column}


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
