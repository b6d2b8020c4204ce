from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.nugen.judging import to_judge
from api.nugen.present.evaluations import STATUS, WORDS, statuses
from api.nugen.schema.requests import CreateEvaluation
from api.nugen.schema.responses import Status
from api.nugen.translate import custom_metrics, to_spec
from core.errors import SpecInvalid
from core.job import TERMINAL, JobStatus
from core.metric import Judge, Parsed
from core.settings import Settings
from tasks.judging.verdict import read_verdict
from tasks.templates.template import compile_body, context

SETTINGS = Settings(default_endpoint="http://127.0.0.1:1/v1", default_judge="judge")
QUESTIONS: list[dict[str, Any]] = [{"question": "2 + 2? {{ 7 }}", "answer": "4"}]


def asked(**fields: Any) -> CreateEvaluation:
    return CreateEvaluation.model_validate({"model_id": "m", "benchmark_id": "b", **fields})


@pytest.mark.parametrize(
    ("given_as", "meant"),
    [
        (None, {}),
        ([], {}),
        ({}, {}),
        (["accuracy", "relevance"], {}),
        (["binary_correctness", "tone", " tone ", "brevity"], {"tone": "", "brevity": ""}),
        ({"tone": "polite", "brevity": {"description": "short", "weight": 2}, "accuracy": None}, None),
        ({"accuracy": "to the digit", "tone": {}}, {"accuracy": "to the digit", "tone": ""}),
    ],
)
def test_custom_metrics_are_a_list_or_an_object_and_what_is_always_graded_is_no_custom_one(
    given_as: Any, meant: dict[str, str] | None
) -> None:
    found = custom_metrics(asked(custom_metrics=given_as))
    assert found == ({"tone": "polite", "brevity": "short"} if meant is None else meant)
    assert {"binary_correctness", "answer_relevance"}.isdisjoint(found)


def test_what_is_always_graded_cannot_be_described_anew() -> None:
    with pytest.raises(SpecInvalid, match="another name") as caught:
        custom_metrics(asked(custom_metrics={"binary_correctness": "mine"}))
    assert caught.value.field == "custom_metrics.binary_correctness"


def test_every_model_gets_the_question_as_it_is_and_one_judge_gives_all_scores() -> None:
    spec = to_spec(asked(model_id_2="n", custom_metrics=["tone"]), QUESTIONS, SETTINGS)
    assert [(target.name, target.endpoint.model, target.endpoint.url) for target in spec.targets] == [  # type: ignore[union-attr]
        ("base", "m", None),
        ("evaluated", "n", None),
    ]
    (task,) = spec.tasks
    body = compile_body(task.prompts["evaluated"].body, where="prompt").render(context(QUESTIONS[0], None))
    assert body == {"messages": [{"role": "user", "content": "2 + 2? {{ 7 }}"}]}
    assert [target.generation for target in spec.targets] == [{"temperature": 0}] * 2  # type: ignore[union-attr]
    (metric,) = task.metrics
    assert isinstance(metric, Judge)
    assert isinstance(metric.scale, Parsed)
    assert list(metric.scale.scores) == ["binary_correctness", "answer_relevance", "tone"]
    assert metric.reply_schema is not None
    assert metric.reply_schema["required"] == ["binary_correctness", "answer_relevance", "tone"]
    assert spec.params.max_retries <= 2


@given(st.text(), st.text(min_size=1), st.text())
def test_the_judge_sees_whatever_is_said_as_it_is(description: str, name: str, answer: str) -> None:
    judge = to_judge("j", {name: description})
    sample: dict[str, Any] = {"output_text": answer, "tool_calls": [], "response": None}
    body = compile_body(judge.prompt.body, where="judge").render(context(QUESTIONS[0], sample))
    system, user = (message["content"] for message in body["messages"])
    assert description in system
    assert user.endswith(answer)
    assert QUESTIONS[0]["question"] in user


@pytest.mark.parametrize(
    ("reply", "values"),
    [
        ('{"binary_correctness": 1, "answer_relevance": 0.9, "tone": 0.5}', (1.0, 0.9, 0.5)),
        ('{"binary_correctness": true, "answer_relevance": 7, "tone": -2}', (1.0, 1.0, 0.0)),
        ('{"binary_correctness": 0.5, "answer_relevance": 0.5}', (None, 0.5, None)),
        ('{"binary_correctness": "1", "answer_relevance": null, "tone": 1}', (None, None, 1.0)),
        ("It is right.", (None, None, None)),
    ],
)
def test_a_reply_loses_only_the_numbers_that_it_does_not_give(reply: str, values: tuple[float | None, ...]) -> None:
    verdicts = read_verdict(to_judge("j", {"tone": ""}).scale, reply)
    assert tuple(getattr(verdict, "value", None) for verdict in verdicts.values()) == values
    assert list(verdicts) == ["binary_correctness", "answer_relevance", "tone"]


def test_every_status_of_a_job_has_its_word_and_is_found_by_it() -> None:
    assert set(STATUS) == set(get_args(JobStatus))
    assert set(STATUS.values()) == set(WORDS.values()) == set(get_args(Status))
    assert {status for status, shown in STATUS.items() if shown != "PROCESSING"} == TERMINAL
    for status, shown in STATUS.items():
        assert status in statuses(shown)
        assert status in statuses(shown.lower())
