"""Nugen's clients, which speak plain HTTP, against the running service."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import orjson
import pytest

from tests.conftest import WAIT_S, until
from tests.scripted import Answer, Received, ScriptedEndpoint, failure, last_content, text

QUESTIONS = [{"question_num": n, "question": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(1, 9)]
NUMBER = re.compile(r"What is (\d+)")

Reply = Callable[[int, str], Answer]


@pytest.fixture
def http(served: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{served.url}/api/v3", timeout=WAIT_S) as http:
        yield http


@pytest.fixture
def models(default_endpoint: ScriptedEndpoint) -> Iterator[Callable[[Reply, Reply], ScriptedEndpoint]]:
    """Script the models under test by number and name, and the judge by number and the answer that it sees."""

    def scripted(model: Reply, judge: Reply) -> ScriptedEndpoint:
        def script(call: Received) -> Answer:
            said, asked = last_content(call["body"]), str(call["body"]["model"])
            found = NUMBER.search(said)
            assert found is not None
            number = int(found[1])
            return judge(number, said.rpartition("Answer:\n")[2]) if asked == "judge" else model(number, asked)

        default_endpoint.calls.clear()
        default_endpoint.script = script
        return default_endpoint

    usual = default_endpoint.script
    yield scripted
    default_endpoint.script = usual


def evaluate(http: httpx.Client, **asked: Any) -> Any:
    """Upload, create and wait as the vendor's notebook does: until the status is final, whatever it was before."""
    file = {"file": ("sums.json", json.dumps(QUESTIONS).encode(), "application/json")}
    benchmark = http.post("/benchmark/upload", files=file, data={"name": "sums", "document_id": "doc"}).json()
    created = http.post("/evaluations/", json={"benchmark_id": benchmark["benchmark_id"], **asked}).json()

    def final() -> Any:
        status = http.get(f"/evaluations/{created['evaluation_id']}/status").json()
        assert status["status"] in ("PROCESSING", "READY", "FAILED")
        return status if status["status"] != "PROCESSING" else None

    return until("a final status", final)


def graded(**values: Any) -> Answer:
    return text(orjson.dumps(values).decode())


def test_two_models_are_compared_by_one_judge_call_for_each_answer(http, models):
    endpoint = models(
        lambda number, name: text(str(2 * number if name == "right" or number % 4 else 0)),
        lambda number, answer: graded(binary_correctness=int(answer == str(2 * number)), answer_relevance=1, tone=0.5),
    )
    status = evaluate(http, model_id="wrong", model_id_2="right", custom_metrics={"tone": "is it {{ polite }}?"})
    assert (status["status"], status["progress"], status["eta_seconds"]) == ("READY", "16/16 questions", 0)
    results = http.get(f"/evaluations/{status['evaluation_id']}/results").json()
    assert results["base_model"]["metrics"]["binary_correctness_mean"] == 0.75
    assert results["eval_model"]["metrics"]["tone_mean"] == 0.5
    first = results["comparison"]["metrics"][0]
    assert first == {"metric": "binary_correctness_mean", "base": 0.75, "evaluated": 1.0, "improvement_%": 33.33}
    assert len(endpoint.calls) == 2 * 2 * len(QUESTIONS)
    assert {call["body"]["temperature"] for call in endpoint.calls} == {0}
    judged = [call["body"] for call in endpoint.calls if call["body"]["model"] == "judge"]
    assert all("is it {{ polite }}?" in body["messages"][0]["content"] for body in judged)
    rows = http.get(f"/evaluations/{status['evaluation_id']}/download").json()["detailed_results"]
    assert [row["score"] for row in rows if row["model_id"] == "wrong"] == [1, 1, 1, 0, 1, 1, 1, 0]


def test_what_a_model_or_the_judge_fails_at_is_left_out_and_said(http, models):
    models(
        lambda number, _: failure(400, "no such sum") if number == 1 else text(str(2 * number)),
        lambda number, _: graded(binary_correctness=1) if number == 2 else text("junk") if number == 3 else ALL_RIGHT,
    )
    status = evaluate(http, model_id="m")
    path = f"/evaluations/{status['evaluation_id']}"
    metrics = http.get(f"{path}/results").json()["metrics"]
    assert (metrics["binary_correctness_mean"], metrics["answer_relevance_mean"]) == (1.0, 1.0)
    assert (metrics["total_questions"], metrics["correct_answers"]) == (8, 6)
    rows = http.get(f"{path}/download").json()["detailed_results"]
    assert [(row["score"], row["relevance"]) for row in rows[:4]] == [(None, None), (1, None), (None, None), (1, 1)]
    assert ["error" in row for row in rows] == [True, True, True, *[False] * 5]
    assert "no such sum" in rows[0]["error"]


def test_an_evaluation_of_which_nothing_could_be_graded_fails_and_says_why(http, models):
    models(lambda number, _: text(str(2 * number)), lambda *_: text("all fine"))
    status = evaluate(http, model_id="m")
    assert status["status"] == "FAILED"
    assert "none of 8 samples has a score" in status["error"]
    assert "all fine" in status["error"]


def test_an_evaluation_whose_model_is_down_fails_soon_and_says_why(http, models):
    endpoint = models(lambda *_: failure(404, "there is no such model"), lambda *_: ALL_RIGHT)
    status = evaluate(http, model_id="gone")
    assert len(endpoint.calls) <= len(QUESTIONS)  # none is tried again
    assert status["status"] == "FAILED"
    assert "there is no such model" in status["error"]
    results = http.get(f"/evaluations/{status['evaluation_id']}/results")
    assert results.status_code == 400
    assert "there is no such model" in results.json()["detail"]
    assert "judge" not in {call["body"]["model"] for call in endpoint.calls}


ALL_RIGHT = graded(binary_correctness=1, answer_relevance=1)
