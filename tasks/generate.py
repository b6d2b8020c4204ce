"""The second stage: each target's output on each sample of a shard."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
from pydantic import JsonValue

from core.endpoint import Reasoning
from core.plan import Shard
from core.result import Call, CallKey, Output
from core.spec import EvaluationSpec, ModelTarget, RecordedTarget
from tasks.calls import Ask, prepare
from tasks.endpoint.message import read_message
from tasks.endpoint.reply import to_output
from tasks.engine.engine import Engine
from tasks.fulfil import fulfil
from tasks.paid import Paid, Published
from tasks.shard_end import ShardEnd
from tasks.templates.pool import Given, render_each
from tasks.templates.template import compile_prompt

Row = dict[str, Any]


def generate_shard(engine: Engine, shard: Shard, *, final: bool) -> ShardEnd:
    """Publish the outputs of a shard, and return what it came to; a shard that has them is left alone.

    Unless `final`, raises ShardIncomplete if calls failed for now. Raises Stopped if the job stops.
    """
    end = ShardEnd(len(shard))
    if not engine.folder.is_finished("generate", shard):
        with fulfil(engine, "generate", shard, partial(_wanted, engine), final=final) as paid:
            engine.folder.finish_generate(shard, _outputs(engine, shard, paid), paid.unpublished(shard))
            end = ShardEnd(len(shard), paid.outcomes)
    engine.counts.passed("generate", shard, len(shard))
    return end


def _outputs(engine: Engine, shard: Shard, paid: Paid | Published) -> Iterator[Output]:
    """Yield the outputs of a shard, part by part."""
    spec, folder = engine.manifest.spec, engine.folder
    reads_rows = any(isinstance(target, RecordedTarget) for target in spec.targets)
    for part in paid.parts(folder.parts(shard)):
        rows = folder.read_samples(part) if reads_rows else ()
        yield from derived_outputs(spec, part, rows, paid.calls(part))


def derived_outputs(spec: EvaluationSpec, shard: Shard, rows: Sequence[Row], calls: Iterable[Call]) -> list[Output]:
    """Return the outputs of a shard by sample, target and trial: models' from their calls, others from the rows."""
    reasoning = {target.name: target.reasoning for target in spec.targets if isinstance(target, ModelTarget)}
    outputs = [to_output(call, reasoning[call.key.target]) for call in calls]
    for target in spec.targets:
        if isinstance(target, RecordedTarget):
            outputs += recorded_outputs(target, shard, rows)
    order = {target.name: place for place, target in enumerate(spec.targets)}
    return sorted(outputs, key=lambda output: (output.sample, order[output.target], output.trial))


def recorded_outputs(target: RecordedTarget, shard: Shard, rows: Sequence[Row]) -> Iterator[Output]:
    """Read the outputs that are recorded in the rows.

    One that is the answer of an endpoint is read as such, any other value that is no text is given as JSON. Without a
    column there is no text to read, and nothing is missing.
    """
    for sample, row in enumerate(rows, start=shard.start):
        value = None if target.column is None else row[target.column]
        if value is None and target.column is not None:
            error = f"column {target.column!r} is null"
            yield Output(shard.task, sample, target.name, outcome="missing_field", error=error)
            continue
        text = value if isinstance(value, str | None) else orjson.dumps(value).decode()
        if isinstance(value, dict) and read_message(value) is not None:
            key = CallKey(shard.task, sample, target.name, 0, "target", "", 0)
            output = to_output(Call(key, "answered", request="", response=text), Reasoning())
            yield replace(output, response=text)
            continue
        yield Output(shard.task, sample, target.name, text=text, empty=text is not None and not text.strip())


def _wanted(engine: Engine, part: Shard) -> Iterator[Ask | Call]:
    """Yield what to ask of each target for each trial of each row, or why it cannot be asked."""
    models = [target for target in engine.manifest.spec.targets if isinstance(target, ModelTarget)]
    rows = engine.folder.read_samples(part) if models else []
    for target in models:
        yield from _asked(engine, part, target, rows)


def _asked(engine: Engine, part: Shard, target: ModelTarget, rows: Sequence[Row]) -> Iterator[Ask | Call]:
    prompt = engine.task(part).prompts[target.name]
    route = engine.routes.to(target.endpoint, prompt)
    template = compile_prompt(prompt, where=f"task {part.task!r}, prompt of {target.name!r}")
    fuse = engine.calls.fuse(part.task, target.name, "")
    bodies = render_each(template, (Given(row, None, fuse) for row in rows), heed=engine.calls.heed)
    for sample, body in enumerate(bodies, start=part.start):
        for trial in range(engine.manifest.spec.params.trials):
            key = CallKey(part.task, sample, target.name, trial, "target", "", 0)
            yield prepare(key, route, body, defaults=of_trial(target.generation, trial))


def of_trial(generation: Mapping[str, JsonValue], trial: int) -> Mapping[str, JsonValue]:
    """Return the request fields of a trial: those of all, with a seed of its own where they have one."""
    match generation.get("seed"):
        case int() as seed if trial and not isinstance(seed, bool):
            return {**generation, "seed": seed + trial}
    return generation
