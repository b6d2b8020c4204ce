"""From Maniac's words to the core's: evaluators to metrics, a run to a specification and a job."""

import json
from collections.abc import Collection, Mapping
from typing import Final

from pydantic import JsonValue

from api.http.fields import JsonDict
from api.maniac.models import Called
from api.maniac.plan import Grading, Plan
from api.maniac.schema.runs import ContainerSource, DatasetSource, GenerateSource, RunCreate
from api.maniac.sources import Side, Tally
from api.maniac.stored import digest, without_keys
from core.endpoint import Endpoint, Prompt
from core.job import Face, NewJob
from core.metric import Code, FirstParser, JsonParser, Judge, MetricSpec, NumberParser, Parsed, WordParser
from core.spec import UPLOAD_SCHEME, EvaluationSpec, FilesDataset, ModelTarget, RecordedTarget, TaskSpec
from store.files.contents import FileRecord
from tasks.templates.template import literal

FACE: Final[Face] = "maniac"
TASK: Final = "evaluation"
RECORDED: Final = "sample"
REFERENCE: Final = "ground_truth"
"""What recorded samples, and the model of a ground truth, are called as targets; other models go by their slugs."""

SCORE: Final = "score"
PASSING: Final = 0.5

VERDICT: Final = FirstParser(
    parsers=(
        JsonParser(path="score"),
        JsonParser(path="result"),
        WordParser(values={"TRUE": 1.0, "FALSE": 0.0}),
        NumberParser(),
    )
)
"""How a judge's reply is read; of `8/10` the 8 counts."""

GIVEN: Final[Mapping[Side, JsonValue]] = {
    "sample": "{{ item.sample | tojson }}",
    "ground_truth": "{{ item.ground_truth | tojson }}",
}
MADE: Final[Mapping[Side, JsonValue]] = {
    "sample": {"input": "{{ item.input | tojson }}", "output": "{{ sample.response | tojson }}"},
    "ground_truth": {"input": "{{ item.input | tojson }}", "output": "{{ sample.reference_response | tojson }}"},
}
"""A side as code is given it, recorded or generated."""


def to_new_job(job_id: str, asked: RunCreate, plan: Plan, file: FileRecord, tally: Tally) -> NewJob:
    """Return the job of a run, with what it was made of: whose outputs, by what, and how many there should be."""
    resolved: JsonDict = {
        "container": plan.container.id,
        "evaluators": [
            {"id": each.evaluator.id, "name": each.evaluator.name, "digest": digest(each.evaluator)}
            for each in plan.gradings
        ],
        "sample": plan.sides.sample.model_dump() | {"range": plan.sides.sample.whole_range},
        "ground_truth": plan.sides.ground_truth.model_dump() | {"range": plan.sides.ground_truth.whole_range},
        "dataset": plan.dataset and {"id": plan.dataset.id, "digest": plan.dataset.sha256},
        "file": {"id": file.id, "digest": file.sha256},
        "launches": _launches(plan),
        "expected_count": tally.expected,
    }
    return NewJob(
        id=job_id,
        face=FACE,
        spec=to_spec(plan, file.id, tally.replayed),
        request=without_keys(asked.sent),
        name=job_id,
        config=plan.container.name,
        model=next((each.model for each in plan.models.values()), None),
        custom_fields=resolved,
    )


def to_spec(plan: Plan, file_id: str, replayed: Collection[str] = ()) -> EvaluationSpec:
    """Return the specification of a run over the rows in a file; requests are made again with the fields `replayed`."""
    generated = plan.sides.generated
    names = {slug: REFERENCE if generated == "ground_truth" else slug for slug in plan.models}
    task = TaskSpec(
        name=TASK,
        dataset=FilesDataset(url=UPLOAD_SCHEME + file_id, format="jsonl"),
        prompts={names[slug]: _prompt(plan, called, replayed) for slug, called in plan.models.items()},
        metrics=tuple(to_metric(each, generated) for each in plan.gradings),
    )
    return EvaluationSpec(
        targets=(
            *([] if generated == "sample" else [RecordedTarget(name=RECORDED, column="sample_text")]),
            *(_target(plan, names[slug], called) for slug, called in plan.models.items()),
        ),
        reference=REFERENCE if generated == "ground_truth" else None,
        tasks=(task,),
    )


def to_metric(grading: Grading, generated: Side | None) -> MetricSpec:
    """Return an evaluator as a metric on samples of which the side `generated` is not in the rows."""
    name, body = grading.evaluator.name, grading.evaluator.body
    threshold = PASSING if body["pass_threshold"] is None else body["pass_threshold"]
    if grading.model is None:
        item = {side: MADE[side] if side == generated else GIVEN[side] for side in GIVEN}
        return Code(name=name, source=body["source"], item=dict(item), threshold=threshold)
    return Judge(
        name=name,
        endpoint=Endpoint(model=grading.model),
        prompt=Prompt(body={"messages": _judged(body["prompt"], generated)}),
        generation=body["inference_parameters"] or {},
        scale=Parsed(scores={SCORE: VERDICT}, threshold=threshold),
    )


def _launches(plan: Plan) -> list[JsonDict]:
    """Return whose outputs are evaluated: the slug under which they are shown, and the target."""
    match plan.sides.sample:
        case GenerateSource(models=models):
            return [{"slug": model, "target": model} for model in models]
        case DatasetSource(dataset=name) | ContainerSource(container=name):
            return [{"slug": name, "target": RECORDED}]


def _judged(prompt: str, generated: Side | None) -> list[JsonValue]:
    """Return what a judge is told: the sample is A, the ground truth is B."""
    truth = "{{ sample.reference_text }}" if generated == "ground_truth" else "{{ item.ground_truth_text }}"
    parts = {
        "Conversation": "{{ item.conversation }}",
        "Response A": "{{ sample.output_text }}",
        "Response B": truth,
    }
    shown = "\n\n".join(f"{name}:\n{text}" for name, text in parts.items())
    return [{"role": "system", "content": literal(prompt)}, {"role": "user", "content": shown}]


def _target(plan: Plan, name: str, called: Called) -> ModelTarget:
    parameters = (called.container or plan.container).body["default_parameters"]
    return ModelTarget(name=name, endpoint=Endpoint(model=called.model), generation=parameters or {})


def _prompt(plan: Plan, called: Called, replayed: Collection[str]) -> Prompt:
    """Return the logged request as it is made again, after the container's system prompt unless it has its own."""
    system = (called.container or plan.container).body["default_system_prompt"]
    messages = "item.input.messages"
    if system:
        # A JSON string is a string of the template language too.
        own = f'[{{"role": "system", "content": {json.dumps(system, ensure_ascii=False)}}}]'
        messages = f'({messages} if {messages}[0].role == "system" else {own} + {messages})'
    again: dict[str, JsonValue] = {
        name: f"{{{{ item.input.{name} | default(none) | tojson }}}}" for name in sorted(replayed)
    }
    return Prompt(body={"messages": f"{{{{ {messages} | tojson }}}}", **again})
