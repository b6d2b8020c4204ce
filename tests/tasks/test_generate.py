import orjson
import pytest

from core.plan import Shard
from core.spec import RecordedTarget, RowsDataset, Target, TaskSpec
from tasks.generate import generate_shard, recorded_outputs
from tests.scripted import text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, chat, model, recorded, rows, spec

SHARD = Shard(index=0, task="qa", start=25, stop=28)


def test_recorded_outputs_are_numbered_by_their_place_in_the_task() -> None:
    outputs = list(recorded_outputs(RecordedTarget(name="old", column="said"), SHARD, [{"said": x} for x in "abc"]))
    assert [(output.sample, output.target, output.text) for output in outputs] == [
        (25, "old", "a"),
        (26, "old", "b"),
        (27, "old", "c"),
    ]
    assert {output.outcome for output in outputs} == {"scored"}


@pytest.mark.parametrize(
    ("value", "expected", "empty"),
    [(" ", " ", True), ("", "", True), (None, None, False), (4, "4", False), ({"a": [1]}, '{"a":[1]}', False)],
)
def test_a_recorded_value_that_is_no_text_is_given_as_json(value: object, expected: str | None, empty: bool) -> None:
    (output,) = recorded_outputs(RecordedTarget(column="said"), SHARD, [{"said": value}])
    assert output.text == expected
    assert output.empty == empty


def test_a_recorded_answer_of_an_endpoint_is_read_as_such() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "<think>so</think>42", "tool_calls": [call]}
    answer = {"choices": [{"index": 0, "message": message, "finish_reason": "length"}]}
    (output,) = recorded_outputs(RecordedTarget(column="said"), SHARD, [{"said": answer}])
    assert (output.sample, output.text, output.reasoning, output.truncated) == (25, "42", "so", True)
    assert orjson.loads(output.tool_calls or "") == [call]
    assert orjson.loads(output.response or "") == answer


def test_without_a_column_there_is_nothing_but_the_row() -> None:
    outputs = list(recorded_outputs(RecordedTarget(), SHARD, [{"a": 1}, {"a": 2}]))
    assert [output.text for output in outputs] == [None, None]
    assert [output.outcome for output in outputs] == ["scored", "scored"]


def test_the_outputs_of_all_targets_stand_by_sample_and_then_in_the_order_of_targets(lab: Lab) -> None:
    lab.model.script = lambda call: text(f"by {call['body']['model']}")
    targets: list[Target] = [model(lab.model.url, "z"), *recorded("answer"), model(lab.model.url, "a")]
    job = lab.add(spec(targets, rows(3), CORRECT, parallelism=3))
    with lab.engaged(job) as engine:
        shard = engine.manifest.shards[0]
        generate_shard(engine, shard, final=False)
        outputs = engine.folder.read_outputs(shard) or []
    assert [(output.sample, output.target) for output in outputs] == [
        (sample, target) for sample in range(3) for target in ("z", "answer", "a")
    ]
    assert [output.text for output in outputs[:3]] == ["by m", "a0", "by m"]
    assert len(lab.model.calls) == 6


def test_a_finished_shard_is_left_alone(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(3), CORRECT))
    with lab.engaged(job) as engine:
        shard = engine.manifest.shards[0]
        generate_shard(engine, shard, final=False)
        before = engine.folder.read_outputs(shard)
        lab.model.script = lambda _: text("something else")
        generate_shard(engine, shard, final=False)
        assert engine.folder.read_outputs(shard) == before
    assert len(lab.model.calls) == 3


def test_each_target_is_asked_with_its_own_prompt_and_generation(lab: Lab) -> None:
    first = model(lab.model.url, "first").model_copy(update={"generation": {"max_tokens": 7, "seed": 1}})
    second = model(lab.model.url, "second")
    wanted = spec([first, second], rows(1), CORRECT)
    prompts = {"first": chat("first {{ item.answer }}", seed=2), "second": chat("second {{ item.answer }}")}
    task = TaskSpec(name="qa", dataset=RowsDataset(rows=rows(1)), prompts=prompts, metrics=(CORRECT,))
    lab.carry_out(lab.add(wanted.model_copy(update={"tasks": (task,)})))
    to_first, to_second = (call["body"] for call in lab.model.calls)
    assert (to_first["max_tokens"], to_first["seed"], to_first["messages"][0]["content"]) == (7, 2, "first a0")
    assert to_second == {"model": "m", "messages": [{"role": "user", "content": "second a0"}]}


def test_what_an_endpoint_said_is_kept_word_for_word(lab: Lab) -> None:
    lab.model.latency_s = 0.02  # the loop counts milliseconds
    job = lab.add(spec(model(lab.model.url), rows(1), CORRECT))
    lab.carry_out(job)
    folder, (shard,) = lab.workspace.folder(job.id), lab.shards(job)
    (call,) = folder.read_calls("generate", shard)
    assert call.request.encode() == lab.model.calls[0]["raw"]
    assert orjson.loads(call.response or "") == orjson.loads(text("a0").body)
    assert (call.usage.total_tokens, call.status, call.attempts) == (10, 200, 1)
    assert 0 < call.seconds < call.started_at
