"""Configs that name a benchmark, run by the service on local files of the public shape."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.conftest import Served
from tests.scripted import Answer, Received, ScriptedEndpoint, last_content, text

EXAMPLE = Path(__file__).parent.parent / "api" / "nemo" / "bodies" / "vendor_example.json"
LEADERBOARD = "gorilla-llm/Berkeley-Function-Calling-Leaderboard"


def area(number: int) -> dict[str, Any]:
    properties = {"base": {"type": "integer"}, "scale": {"type": "float"}, "unit": {"type": "any"}}
    return {
        "id": f"simple_{number}",
        "question": [[{"role": "user", "content": f"The area of a triangle with base {number}?"}]],
        "function": [
            {
                "name": "geometry.area",
                "description": "The area of a triangle.",
                "parameters": {"type": "dict", "properties": properties, "required": ["base"]},
            }
        ],
    }


def answer(number: int) -> dict[str, Any]:
    return {"id": f"simple_{number}", "ground_truth": [{"geometry.area": {"base": [number], "unit": ["cm", ""]}}]}


def calling(request: Received) -> Answer:
    """Call the function rightly, but with half a JSON text for 3, with another number for 5, and not at all for 7."""
    number = int(last_content(request["body"]).split()[-1].rstrip("?"))
    arguments = {3: '{"base": ', 5: '{"base": 6}'}.get(number, f'{{"base": {number}}}')
    call = {"id": "c", "type": "function", "function": {"name": "geometry_area", "arguments": arguments}}
    if number == 7:
        return text("I cannot.")
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return Answer(orjson.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}))


def put(served: Served, path: str, rows: list[dict[str, Any]]) -> None:
    file = served.home / "datasets" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_the_vendors_own_example_completes_on_a_local_file(served):
    put(served, f"{LEADERBOARD}/BFCL_v3_simple.json", [area(n) for n in range(12)])
    put(served, f"{LEADERBOARD}/possible_answer/BFCL_v3_simple.json", [answer(n) for n in range(12)])
    spec = json.loads(EXAMPLE.read_text())["spec"]
    with ScriptedEndpoint(calling) as endpoint:
        spec["target"]["model"]["api_endpoint"]["url"] = f"{endpoint.url}/chat/completions"
        job = served.wait(served.create(spec))
    assert (job.status, job.error_details) == ("completed", None)
    score = served.results(job.id).tasks["task1"].metrics["accuracy"].scores["accuracy"]
    # Ten samples: 3 cannot be read, 5 and 7 are wrong.
    assert (score.stats.count, score.stats.nan_count, score.value) == (9, 1, pytest.approx(7 / 9))
    [tool] = endpoint.calls[0]["body"]["tools"]
    assert tool["function"]["parameters"]["properties"] == {
        "base": {"type": "integer"},
        "scale": {"type": "number"},
        "unit": {"type": "string"},
    }


def test_gsm8k_compares_the_number_after_the_marker_and_the_last(served, endpoint):
    rows = [
        {"question": f"{n} + {n}? ANSWER: {'####' if n < 4 else 'It is'} {2 * n}", "answer": f"#### {2 * n + n % 2}"}
        for n in range(6)
    ]
    put(served, "openai/gsm8k/main/test.jsonl", rows)
    put(served, "openai/gsm8k/main/train.jsonl", [{"question": "unread", "answer": "none"}])
    model = {"api_endpoint": {"url": endpoint.url, "model_id": "m"}}
    job = served.wait(served.create({"target": {"type": "model", "model": model}, "config": {"type": "gsm8k"}}))
    assert job.status == "completed"
    tasks = served.results(job.id).tasks
    scores = tasks["exact_match"].metrics["exact_match"].scores
    assert [scores[f"gsm8k-metric_ranking-{number}"].value for number in (1, 3)] == [pytest.approx(1 / 3), 0.5]
    assert scores["gsm8k-metric_ranking-1"].stats.count == 6
    errors = tasks["exact_match_stderr"].metrics["exact_match_stderr"].scores
    assert errors["gsm8k-metric_ranking-4"].value == pytest.approx(0.5 / 6**0.5)
    assert len(endpoint.calls) == 6


def test_similarity_metrics_score_in_all_ways(served, endpoint):
    rows = [{"prompt": f"ANSWER: the {word} cat sat", "ideal_response": "The big cat sat"} for word in ("big", "old")]
    url = served.dataset("similar.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    model = {"api_endpoint": {"url": endpoint.url, "model_id": "m"}}
    config = {"type": "similarity_metrics", "tasks": {"mine": {"type": "default", "dataset": {"files_url": url}}}}
    job = served.wait(served.create({"target": {"type": "model", "model": model}, "config": config}))
    assert job.status == "completed"
    metrics = served.results(job.id).tasks["mine"].metrics
    values = {name: score.value for metric in metrics.values() for name, score in metric.scores.items()}
    assert values["em"] == 0.5  # case and article do not count
    assert values["f1"] == pytest.approx((1 + 2 / 3) / 2)
    assert values["accuracy"] == 0.0
    assert values["rouge_1_score"] == pytest.approx((1 + 3 / 4) / 2)
    assert [*metrics["bleu"].scores] == ["bleu_score"]
    assert metrics["bleu"].scores["bleu_score"].stats is None
    assert 0 < values["bleu_score"] < 1
