"""The example bodies of the OpenAPI document are taken as they stand, once what they name is there."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.http.examples import CREATES
from api.http.state import State
from core.settings import Settings
from store.workspace import Workspace

JsonDict = dict[str, Any]


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = Settings(
        home=tmp_path_factory.mktemp("home"), default_endpoint="http://127.0.0.1:9/v1", default_judge="m"
    )
    with closing(Workspace.open(settings, migrating=True)) as workspace:
        state = State.over(workspace, wake=lambda: None, ready=lambda: True)
        yield TestClient(create_app(state), base_url="http://127.0.0.1:7331")


def _post(http: TestClient, path: str, **how: Any) -> JsonDict:
    answer = http.post(path, **how)
    assert answer.is_success, answer.text
    made: JsonDict = answer.json()
    return made


def _with_what_they_name(http: TestClient) -> dict[str, JsonDict]:
    """Make what the examples name, and return them with the ids of that."""
    sent = {"file": ("rows.jsonl", b'{"response": "a"}\n')}
    file = _post(http, "/v1/files", files=sent, data={"purpose": "eval", "file_type": "jsonl"})["id"]
    questions = json.dumps([{"question_num": 1, "question": "q", "answer": "a"}]).encode()
    upload = {"files": {"file": ("q.json", questions)}, "data": {"name": "q"}}
    benchmark = _post(http, "/api/v3/benchmark/upload", **upload)["benchmark_id"]
    _post(http, "/v1/containers", json={"label": "support", "initial_model": "m"})
    chat = {
        "input": {"messages": [{"role": "user", "content": "q"}]},
        "output": {"choices": [{"message": {"role": "assistant", "content": "a"}}]},
    }
    _post(http, "/v1/chat/completions/register", json={"container": "support", "items": [chat]})
    code = {"type": "code", "name": "helpful", "source": "def run_evaluation(item): return 1", "container": "support"}
    _post(http, "/v1/evaluators", json=code)
    named = json.dumps(CREATES).replace("file-abc123", file).replace("benchmark-abc123", benchmark)
    filled: dict[str, JsonDict] = json.loads(named)
    return filled


def test_every_example_of_a_vendor_s_create_is_taken_as_it_stands(http: TestClient) -> None:
    document = http.get("/openapi.json").json()
    for path, body in _with_what_they_name(http).items():
        shown = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert shown == CREATES[path]
        assert _post(http, path, json=body), path
    jobs = http.get("/api/assay/v1/jobs").json()["data"]
    assert sorted(job["face"] for job in jobs) == ["maniac", "nemo-v1", "nemo-v2", "nugen", "together"]
    assert [job["failure"] for job in jobs] == [None] * 5
