from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.maniac.models import Called
from api.maniac.plan import Grading, Plan
from api.maniac.schema.runs import RunCreate
from api.maniac.sources import Sides, sides_of
from api.maniac.translate import to_metric, to_spec
from core.job import utcnow
from core.metric import Code, Judge
from store.db.entities import Entity
from tasks.judging.prose import Unread
from tasks.judging.verdict import Verdict, read_verdict
from tasks.templates.template import compile_body, context

NOW = utcnow()
MESSAGES = [{"role": "user", "content": "hi"}]


def entity(name: str, type: str = "container", **body: Any) -> Entity:
    usual = {"default_parameters": None, "default_system_prompt": None, "initial_model": "m"}
    usual |= {"pass_threshold": None, "prompt": "p", "inference_parameters": None, "source": "s"}
    return Entity("id", "default", name, type, {**usual, **body}, created_at=NOW, updated_at=NOW)


def plan(sides: Sides, **container: Any) -> Plan:
    models = {slug: Called(slug, None) for slug in sides.models}
    return Plan(entity("c", **container), [Grading(entity("e", "judge"), "judge")], sides, None, models)


def sides(**fields: Any) -> Sides:
    return sides_of(RunCreate.model_validate({"container": "c", "evaluators": ["e"], **fields}))


GENERATED = sides(sample={"type": "generate", "models": ["a", "b"]})


def judge(**body: Any) -> Judge:
    metric = to_metric(Grading(entity("e", "judge", **body), "judge"), None)
    assert isinstance(metric, Judge)
    return metric


@pytest.mark.parametrize(
    ("reply", "value", "passed"),
    [
        ('{"score": 0.75}', 0.75, True),
        ('```json\n{"score": 0.25}\n```', 0.25, False),
        ('{"score": true}', 1.0, True),
        ('{"result": false}', 0.0, False),
        ('{"result": true, "score": 0.1}', 0.1, False),
        ("TRUE", 1.0, True),
        ("I say: false. It is not TRUE.", 0.0, False),
        ("8 out of 10", 8.0, True),
        ("Rating: 8/10", 8.0, True),
        ("-1.5 points", -1.5, False),
        (".5", 0.5, True),
    ],
)
def test_a_judge_is_understood_in_its_first_words_that_mean_something(reply, value, passed):
    verdict = read_verdict(judge().scale, reply)["score"]
    assert isinstance(verdict, Verdict), verdict
    assert (verdict.value, verdict.passed) == (value, passed)


SAYS_NOTHING = [
    "",
    "I cannot say",
    "untrue, 7",
    "3 errors",
    '{"score": "high"}',
    '{"score": null}',
    '{"verdict": "yes"}',
]
SAYS_TWO_THINGS = ["TRUE or FALSE", '{"score": 1} {"score": 0}', "5 reasons for a 9", "It is not TRUE"]


@pytest.mark.parametrize("reply", [*SAYS_NOTHING, *SAYS_TWO_THINGS])
def test_what_says_nothing_or_two_things_is_no_score(reply):
    for evaluator in (judge(), judge(pass_threshold=0)):
        assert isinstance(read_verdict(evaluator.scale, reply)["score"], Unread)


@pytest.mark.parametrize(("threshold", "passed"), [(None, False), (0, True), (0.2, True), (0.3, False)])
def test_a_score_passes_from_the_threshold_on(threshold, passed):
    verdict = read_verdict(judge(pass_threshold=threshold).scale, '{"score": 0.2}')["score"]
    assert isinstance(verdict, Verdict)
    assert verdict.passed is passed


@given(prompt=st.text(st.characters(codec="utf-8")))
def test_prompts_reach_the_judge_and_the_model_word_for_word(prompt):
    row = {"conversation": "c", "ground_truth_text": "g", "input": {"messages": MESSAGES}}
    judged = compile_body(judge(prompt=prompt).prompt.body, where="judge")
    system, shown = judged.render(context(row, {"output_text": "s"}))["messages"]
    assert system["content"] == prompt
    assert shown["content"] == "Conversation:\nc\n\nResponse A:\ns\n\nResponse B:\ng"
    asked = compile_body(
        to_spec(plan(GENERATED, default_system_prompt=prompt), "f").tasks[0].prompts["a"].body, where="a"
    )
    messages = asked.render(context(row, None))["messages"]
    assert messages == [*([{"role": "system", "content": prompt}] if prompt else []), *MESSAGES]


def test_a_conversation_with_a_system_message_keeps_it():
    row = {"input": {"messages": [{"role": "system", "content": "own"}, *MESSAGES]}}
    body = to_spec(plan(GENERATED, default_system_prompt="other"), "f").tasks[0].prompts["a"].body
    assert compile_body(body, where="a").render(context(row, None)) == row["input"]
    assert list(body) == ["messages"]


def test_a_generated_ground_truth_is_the_reference_and_is_shown_as_such():
    truth = sides(ground_truth={"type": "generate", "models": ["a"]})
    spec = to_spec(plan(truth, default_parameters={"seed": 1}), "f", ["tools"])
    recorded, asked = spec.targets
    assert (recorded.name, recorded.kind) == ("sample", "recorded")
    assert (asked.name, asked.kind, spec.reference) == ("ground_truth", "model", "ground_truth")
    assert spec.tasks[0].prompts["ground_truth"].body["tools"] == "{{ item.input.tools | default(none) | tojson }}"
    (metric,) = spec.tasks[0].metrics
    assert isinstance(metric, Judge)
    assert "{{ sample.reference_text }}" in str(metric.prompt.body)


@pytest.mark.parametrize("generated", ["sample", "ground_truth", None])
def test_code_is_given_both_sides_whichever_is_generated(generated):
    metric = to_metric(Grading(entity("e", "code"), None), generated)
    assert isinstance(metric, Code)
    row = {"input": "asked", "sample": {"output": "old s"}, "ground_truth": {"output": "old g"}}
    values = {"response": "new s", "reference_response": "new g"}
    item = compile_body(metric.item, where="e").render(context(row, values))
    made = {"sample": "new s", "ground_truth": "new g"}
    for side in ("sample", "ground_truth"):
        assert item[side] == ({"input": "asked", "output": made[side]} if side == generated else row[side])


def test_inference_parameters_are_the_judges():
    assert judge(inference_parameters={"temperature": 0}).generation == {"temperature": 0}
    assert judge().generation == {}
