"""Maniac's client, by plain HTTP, against the running service."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import WAIT_S, Served, until
from tests.scripted import Answer, Received, ScriptedEndpoint, failure, last_content, text

JUDGE = {"type": "judge", "model": "judge", "prompt": "Is A at least as good as B? Say TRUE or FALSE."}
SAME = """
def run_evaluation(item):
    said, wanted = [item[side]["output"]["choices"][0]["message"]["content"] for side in ("sample", "ground_truth")]
    return {"score": 1.0 if said == wanted else 0.0}
"""
CHAT = {
    "input": {"messages": [{"role": "user", "content": "q"}]},
    "output": {"choices": [{"message": {"role": "assistant", "content": "a"}}]},
}


class Maniac:
    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def post(self, path: str, body: object = None) -> Any:
        response = self.http.post(path, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def ended(self, run_id: str) -> Any:
        """Wait until a run has ended, as the vendor's users do: by asking for it."""
        until(f"{run_id} to end", lambda: self.run(run_id)["status"] not in ("pending", "running"))
        return self.run(run_id)

    def run(self, run_id: str) -> Any:
        return self.http.get(f"/v1/evaluation/runs/{run_id}").raise_for_status().json()


@pytest.fixture
def maniac(served: Served) -> Iterator[Maniac]:
    with httpx.Client(base_url=served.url, timeout=WAIT_S) as http:
        yield Maniac(http)


@pytest.fixture
def models(default_endpoint: ScriptedEndpoint) -> Iterator[ScriptedEndpoint]:
    """A good model, which repeats what it is told, a bad one, and a judge that compares two responses."""

    def script(call: Received) -> Answer:
        said = last_content(call["body"])
        if call["body"]["model"] != "judge":
            return text(said if call["body"]["model"] == "good" else "nonsense")
        sample, truth = said.partition("Response A:\n")[2].split("\n\nResponse B:\n")
        return text("TRUE" if sample == truth else "FALSE")

    usual, default_endpoint.script = default_endpoint.script, script
    default_endpoint.calls.clear()
    yield default_endpoint
    default_endpoint.script = usual


def test_what_a_container_has_logged_is_evaluated_on_two_models(served, maniac, models):
    maniac.post("/v1/containers", {"label": "logged", "initial_model": "good"})
    for n in range(3):
        messages = [{"role": "user", "content": f"say {n}"}]
        maniac.post("/v1/chat/completions", {"model": "maniac:logged", "messages": messages})
    judge = maniac.post("/v1/evaluators", {**JUDGE, "name": "at least as good", "container": "logged"})
    same = maniac.post("/v1/evaluators", {"type": "code", "name": "same", "source": SAME, "container": "logged"})
    dataset = maniac.post("/v1/datasets", {"name": "all", "container": "logged", "size": 10})["id"]
    created = maniac.post(
        "/v1/evaluation/runs",
        {
            "container": "logged",
            "evaluators": ["at least as good", same["id"]],
            "sample": {"type": "generate", "models": ["good", "bad"]},
            "ground_truth": {"type": "dataset", "dataset": dataset, "range": "0:100"},
        },
    )
    assert created["status"] in ("pending", "running")
    run = maniac.ended(created["id"])
    assert (run["status"], run["error"], run["dataset_id"]) == ("completed", None, dataset)
    assert run["process_id"] not in (None, run["id"])
    by_model = {launch["model"]["slug"]: launch for launch in run["results"]["per_model"]}
    assert {slug: launch["avg_accuracy"] for slug, launch in by_model.items()} == {"good": 1.0, "bad": 0.0}
    for launch in by_model.values():
        assert launch["per_eval"].keys() == {judge["id"], same["id"]}
        assert {each["num_scored"] for each in launch["per_eval"].values()} == {3}
    assert run["results"]["overall"] == {"avg_score": 0.5, "avg_accuracy": 0.5}
    assert len(models.calls) == 3 + 2 * 3 + 2 * 3


def test_a_run_whose_models_all_refuse_ends_in_an_error_that_says_so(maniac, models):
    maniac.post("/v1/containers", {"label": "all-refuse", "initial_model": "good"})
    maniac.post("/v1/chat/completions/register", {"container": "all-refuse", "items": [CHAT]})
    maniac.post("/v1/evaluators", {"type": "code", "name": "all-refuse", "source": SAME})
    models.script = lambda _: failure(401, "who are you?")
    asked = {"container": "all-refuse", "evaluators": "all-refuse", "sample": {"type": "generate", "models": ["good"]}}
    run = maniac.ended(maniac.post("/api/v1/evaluation/runs", asked)["id"])
    assert run["status"] == "error"
    assert "who are you?" in run["error"]
    assert run["error_at"] == run["finished_at"]
    (figures,) = run["results"]["per_model"][0]["per_eval"].values()
    assert (figures["num_errors"], figures["num_scored"], figures["accuracy"]) == (1, 0, None)


def test_a_run_is_cancelled_by_an_older_client(maniac, models):
    maniac.post("/v1/containers", {"label": "cancelled", "initial_model": "good"})
    maniac.post("/v1/chat/completions/register", {"container": "cancelled", "items": [CHAT]})
    maniac.post("/v1/evaluators", {**JUDGE, "name": "cancelled"})
    models.script = lambda _: text("never", delay_s=60)
    asked = {"container": "cancelled", "evaluators": ["cancelled"], "models": ["good"]}
    run_id = maniac.post("/api/v1/evaluation/runs", asked)["id"]
    until("a call", lambda: models.calls)
    assert maniac.post(f"/api/v1/evaluation/runs/{run_id}/cancel")["status"] == "running"
    run = maniac.ended(run_id)
    assert (run["status"], run["results"], run["error"]) == ("cancelled", None, None)
    listed = maniac.http.get("/v1/evaluation/runs", params={"container": "cancelled", "status": "cancelled"}).json()
    assert [each["id"] for each in listed["data"]] == [run_id]
