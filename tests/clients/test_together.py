"""The clients of all generations, as their vendor ships them, against the running service."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.clients.programs import SCRIPTS, environment, run
from tests.conftest import WAIT_S, Served, until
from tests.scripted import Answer, Received, ScriptedEndpoint, text

ROWS = [
    {"question": "1 + 1?", "answer": "2", "other": "three"},
    {"question": "2 + 2?", "answer": "7", "other": "five"},
]
VERDICTS = {"label": ("good", "bad"), "score": (8, 2), "choice": ("A", "A")}
"""By the key that is asked for: the verdict on an answer, and that on 7."""

RESULTS: dict[str, dict[str, Any]] = {
    "classify": {
        "label_counts": {"good": 1, "bad": 1},
        "pass_percentage": 50.0,
        "generation_fail_count": 0,
        "judge_fail_count": 0,
        "invalid_label_count": 0,
    },
    "score": {
        "aggregated_scores": {"mean_score": 5.0, "std_score": 3.0, "pass_percentage": 50.0},
        "failed_samples": 0,
        "invalid_score_count": 0,
        "generation_fail_count": 0,
        "judge_fail_count": 0,
    },
    "compare": {"A_wins": 0, "B_wins": 0, "Ties": 2, "generation_fail_count": 0, "judge_fail_count": 0},
}


def judge(request: Received) -> Answer:
    told, asked = (str(message["content"]) for message in request["body"]["messages"])
    key = next(key for key in VERDICTS if f'"{key}"' in told)
    verdict = VERDICTS[key]["7" in asked]
    return text(orjson.dumps({"feedback": "because", key: verdict}).decode())


@pytest.fixture
def grading(endpoint: ScriptedEndpoint) -> ScriptedEndpoint:
    endpoint.script = judge
    return endpoint


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


GENERATIONS = [
    pytest.param("together-3", "together_2.py", "", id="3"),
    pytest.param("together-3", "together_2.py", "/v1", id="3 with the base of 2", marks=pytest.mark.clients),
    pytest.param("together-2", "together_2.py", "/v1", id="2", marks=pytest.mark.clients),
    pytest.param("together-1", "together_1.py", "/v1", id="1", marks=pytest.mark.clients),
]


@pytest.mark.parametrize(("name", "script", "base"), GENERATIONS)
def test_a_client_evaluates_a_file_that_it_uploads(
    served: Served, grading: ScriptedEndpoint, dataset: Path, tmp_path: Path, name: str, script: str, base: str
) -> None:
    python = environment(name) / "bin" / "python"
    seen = json.loads(run([python, SCRIPTS / script, served.url + base, dataset, grading.url, tmp_path], tmp_path))
    file = seen["uploaded"]
    assert (file["filename"], file["bytes"], file["purpose"]) == ("rows.jsonl", dataset.stat().st_size, "eval")
    assert seen["retrieved"].items() >= file.items()
    assert (seen["retrieved"]["LineCount"], seen["retrieved"]["Processed"]) == (2, True)
    assert seen["content"] == dataset.read_text()
    assert file["id"] in seen["files"]
    ids = []
    for kind, evaluation in seen["evaluations"].items():
        job = evaluation["job"]
        assert (evaluation["created"], job["status"]) == ("pending", "completed")
        assert "key-of-the-judge" not in str(job)
        assert job["results"].items() >= RESULTS[kind].items()
        assert job["results"]["result_file_id"] in seen["files"]
        assert [{key: row[key] for key in ROWS[0]} for row in evaluation["rows"]] == ROWS
        assert all(row["evaluation_successful"] for row in evaluation["rows"])
        ids.append(job["workflow_id"])
    assert seen["jobs"] == ids[::-1]
    assert seen["completed"] >= 3
    assert seen["deleted"] is True
    assert seen.get("project") in (None, "local")
    assert seen["refused"]["error"] in ("NotFoundError", "InvalidRequestError")
    assert "File not found" in seen["refused"]["message"]


@pytest.mark.clients
def test_the_newest_command_line_creates_and_reads_an_evaluation(
    served: Served, grading: ScriptedEndpoint, dataset: Path, tmp_path: Path
) -> None:
    tg = environment("together-3") / "bin" / "tg"

    def ask(*arguments: str | Path) -> str:
        return run([tg, *arguments], tmp_path, TOGETHER_API_KEY="key", TOGETHER_BASE_URL=served.url, COLUMNS="1000")

    judging = ["--judge-model", "judge", "--judge-model-source", "external"]
    judging += ["--judge-external-base-url", grading.url, "--judge-external-api-token", "key-of-the-judge"]
    judging += ["--judge-system-template", "Is this an answer to {{question}}?"]
    labels = ["--labels", "good, bad", "--pass-labels", "good", "--model-field", "answer"]
    printed = ask("evals", "create", "--type", "classify", "--input-data-file-path", dataset, *judging, *labels)
    found = re.search(r"eval-[0-9a-f]+-\d+", printed)
    assert found
    job_id = found[0]

    def is_completed() -> bool:
        return bool(json.loads(ask("evals", "status", "--json", job_id))["status"] == "completed")

    until(f"{job_id} to complete", is_completed)
    job = json.loads(ask("evals", "retrieve", "--json", job_id))
    assert job["results"].items() >= RESULTS["classify"].items()
    assert job["parameters"]["input_data_file_path"] in ask("files", "list", "--json")
    content = ask("files", "retrieve-content", job["results"]["result_file_id"], "--stdout")
    assert [json.loads(line)["label"] for line in content.strip().splitlines()] == ["good", "bad"]
    assert job_id in ask("evals", "list", "--json")
    assert "classify" in ask("evals", "list")


@pytest.mark.clients
def test_the_javascript_client_evaluates_a_file_that_curl_uploads(
    served: Served, grading: ScriptedEndpoint, dataset: Path, tmp_path: Path
) -> None:
    folder = environment("together-js")
    curl, node = shutil.which("curl"), shutil.which("node")
    assert curl
    assert node
    form = ["--form", "purpose=eval", "--form", f"file=@{dataset}"]
    file = json.loads(run([curl, "--silent", "--fail", *form, f"{served.url}/v1/files"], tmp_path))
    assert (file["filename"], file["LineCount"], file["Processed"]) == ("rows.jsonl", 2, True)
    seen = json.loads(run([node, SCRIPTS / "together.mjs", f"{served.url}/v1", file["id"], grading.url], folder))
    assert seen["created"]["status"] == "pending"
    assert seen["status"] == {"status": "completed", "results": seen["job"]["results"]}
    assert seen["job"]["results"].items() >= RESULTS["classify"].items()
    assert [row["label"] for row in seen["rows"]] == ["good", "bad"]
    assert seen["jobs"] == [seen["job"]["workflow_id"]]
    assert {file["id"], seen["job"]["results"]["result_file_id"]} <= set(seen["files"])
    assert seen["refused"] == "NotFoundError"
    assert httpx.delete(f"{served.url}/v1/files/{file['id']}", timeout=WAIT_S).json()["deleted"] is True
