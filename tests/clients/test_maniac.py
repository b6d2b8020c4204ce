"""The client as its vendor ships it, against the running service; it is a program of its own, and stays one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.programs import SCRIPTS, environment, run
from tests.conftest import Served, until
from tests.scripted import Answer, Received, ScriptedEndpoint, last_content, text

pytestmark = pytest.mark.clients


def models(call: Received) -> Answer:
    """A good model, which repeats what it is told, a bad one, and a judge that compares two responses."""
    said = last_content(call["body"])
    if call["body"]["model"] != "judge":
        return text(said if call["body"]["model"] == "good" else "nonsense")
    sample, truth = said.partition("Response A:\n")[2].split("\n\nResponse B:\n")
    return text("TRUE" if sample == truth else "FALSE")


@pytest.fixture(autouse=True)
def _scripted(default_endpoint: ScriptedEndpoint) -> Iterator[None]:
    usual, default_endpoint.script = default_endpoint.script, models
    yield
    default_endpoint.script = usual


def test_the_client_evaluates_what_it_has_logged(served: Served, tmp_path: Path) -> None:
    python = environment("maniac") / "bin" / "python"
    seen = json.loads(run([python, SCRIPTS / "maniac_05.py", served.url, "sdk"], tmp_path))
    assert seen["container"]["label"] == "sdk"
    assert seen["registered"] == {
        "ok": True,
        "container": "sdk",
        "summary": {"received": 4, "registered": 4, "failed": 0},
        "errors": [],
    }
    assert seen["completion"]["choices"][0]["message"]["content"] == "say 4"
    assert (seen["logged"]["total"], seen["found"]["total"]) == (5, 1)
    assert seen["found"]["data"][0]["metadata"] == {"n": 2}
    assert seen["changed"]["default_parameters"] == {"temperature": 0}
    assert seen["patched"] == {**seen["by_name"], "pass_threshold": 0.75}
    assert (seen["dataset"]["size"], seen["datasets"]) == (3, 1)
    assert seen["created"] in ("pending", "running")
    done = seen["run"]
    assert (done["status"], done["metadata"]) == ("completed", {"k": "v"})
    assert done["evaluators"] == seen["evaluators"][::-1]
    assert [launch["avg_accuracy"] for launch in done["results"]["per_model"]] == [1.0, 0.0]
    figures = [each for launch in done["results"]["per_model"] for each in launch["per_eval"].values()]
    assert [each["num_scored"] for each in figures] == [3] * 4
    assert seen["runs"] == [done["id"]]
    refused = seen["refused"]
    assert refused["not found"] == ["NotFoundError", "Evaluator 'none' not found"]
    assert refused["taken"] == ["APIError", 409, "conflict"]
    assert refused["packages"] == ["APIError", 501, "not_implemented"]
    for what, message in (("no side", "give a sample or a ground_truth"), ("no prompt", "a judge evaluator needs")):
        assert refused[what][0] == "BadRequestError"
        assert message in refused[what][1]
    assert [each["deleted"] for each in seen["deleted"]] == [True, True]
    assert seen["emptied"] == {"object": "container", "label": "sdk", "deleted": True}


def test_its_command_line_creates_and_reads_a_run(served: Served, tmp_path: Path) -> None:
    command: list[str | Path] = [environment("maniac") / "bin" / "maniac", "--api-key", "key", "--base-url", served.url]

    def ask(*arguments: str) -> Any:
        return json.loads(run([*command, *arguments, "--json"], tmp_path))

    ask("containers", "create", "--label", "cli", "--initial-model", "good")
    answer = {"choices": [{"message": {"role": "assistant", "content": "q"}}]}
    items = [{"input": {"messages": [{"role": "user", "content": "q"}]}, "output": answer}]
    ask("chat", "completions", "register", "--container", "cli", "--items", json.dumps(items))
    ask(
        "evaluators", "create", "--type", "judge", "--model", "judge", "--prompt", "A or B?", "--name", "from the shell"
    )
    sample = json.dumps({"type": "generate", "models": ["good"]})
    created = ask(
        "evaluation", "runs", "create", "--container", "cli", "--evaluators", "from the shell", "--sample", sample
    )
    until("the run to complete", lambda: ask("evaluation", "runs", "retrieve", created["id"])["status"] == "completed")
    done = ask("evaluation", "runs", "retrieve", created["id"])
    assert done["results"]["overall"] == {"avg_score": 1.0, "avg_accuracy": 1.0}
    assert ask("evaluation", "runs", "list", "--container", "cli")["total"] == 1
