"""The API with all models at a scripted endpoint, and engines that carry out its runs in this process."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from api.http.state import State
from core.job import Job, JobStatus, utcnow
from tests.api.conftest import Service, running
from tests.scripted import ScriptedEndpoint
from tests.tasks.conftest import Lab

Json = dict[str, Any]

JUDGE: Json = {"type": "judge", "model": "judge", "prompt": "Is A at least as good as B? ANSWER: TRUE"}
SAME = """
def run_evaluation(item):
    said, wanted = [item[side]["output"]["choices"][0]["message"]["content"] for side in ("sample", "ground_truth")]
    return {"score": 1.0 if said == wanted else 0.0}
"""


@dataclass
class Maniac:
    """A client by plain HTTP, the service's state, and the model that it asks."""

    http: httpx.Client
    state: State
    model: ScriptedEndpoint

    def post(self, path: str, body: object, *, status: int = 200) -> Any:
        response = self.http.post(path, json=body)
        assert response.status_code == status, response.text
        return response.json()

    def get(self, path: str, **query: object) -> Any:
        response = self.http.get(path, params={name: str(value) for name, value in query.items()})
        assert response.status_code == 200, response.text
        return response.json()

    def error(self, method: str, path: str, body: object = None, *, status: int) -> Any:
        response = self.http.request(method, path, json=body)
        assert response.status_code == status, response.text
        return response.json()["error"]

    def container(self, label: str, **fields: Any) -> Json:
        return dict(self.post("/v1/containers", {"label": label, "initial_model": "m", **fields}))

    def evaluator(self, **fields: Any) -> Json:
        return dict(self.post("/v1/evaluators", fields))

    def log(self, container: str, *chats: Json) -> None:
        self.post("/v1/chat/completions/register", {"container": container, "items": list(chats)})

    def run(self, **fields: Any) -> Json:
        return dict(self.post("/v1/evaluation/runs", fields))

    def carry_out(self, run_id: str, *, status: JobStatus = "completed") -> Json:
        """Do what an engine and the reconciler do, and return the run."""
        Lab(self.state, self.model).carry_out(self.job(run_id))
        self.state.jobs.settle(run_id, status="running", started_at=utcnow())
        self.state.jobs.settle(run_id, status=status, finished_at=utcnow())
        return dict(self.get(f"/v1/evaluation/runs/{run_id}"))

    def job(self, run_id: str) -> Job:
        return self.state.jobs.get(run_id)


def chat(question: str, answer: str | None, **fields: Any) -> Json:
    """A completed chat; `output_` fields are its message's, `input_` ones its request's, others its own."""
    asked = {name.removeprefix("input_"): fields.pop(name) for name in list(fields) if name.startswith("input_")}
    said = {name.removeprefix("output_"): fields.pop(name) for name in list(fields) if name.startswith("output_")}
    return {
        "input": {"messages": [{"role": "user", "content": question}], **asked},
        "output": {"choices": [{"message": {"role": "assistant", "content": answer, **said}}], "model": "logged"},
        **fields,
    }


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def maniac(service: Service, model: ScriptedEndpoint) -> Iterator[Maniac]:
    chosen = {"default_endpoint": model.url, "default_api_key": SecretStr("MARKER-default")}
    state = replace(service.state, settings=service.state.settings.model_copy(update=chosen))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with running(state, listening), httpx.Client(base_url=url, timeout=60) as http:
            yield Maniac(http, state, model)
