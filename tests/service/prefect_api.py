"""What people and programs do with Prefect's server, over its own API."""

from typing import Any

import httpx

from tests.conftest import WAIT_S, Served, until
from tests.scripted import ScriptedEndpoint
from tests.service.bodies import chat_task, job, model

Json = dict[str, Any]


class Prefect:
    """A Prefect server, as its UI speaks with it."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def call(self, method: str, path: str, **body: Any) -> Any:
        answer = self._send(method, path, body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def deployment(self, name: str) -> Json:
        found: Json = self.call("GET", f"/deployments/name/evaluate/{name}")
        return found

    def start(self, deployment: str, *, check: bool = True, **parameters: Any) -> str:
        """Start a run as the form does, or, without `check`, as one who goes around it; return its id."""
        path = f"/deployments/{self.deployment(deployment)['id']}/create_flow_run"
        more = {} if check else {"enforce_parameter_schema": False}
        return str(self.call("POST", path, parameters=parameters, **more)["id"])

    def refusal(self, deployment: str, **parameters: Any) -> str:
        path = f"/deployments/{self.deployment(deployment)['id']}/create_flow_run"
        answer = self._send("POST", path, {"parameters": parameters})
        assert answer.status_code == 409, answer.text
        return answer.text

    def run(self, run_id: str) -> Json:
        found: Json = self.call("GET", f"/flow_runs/{run_id}")
        return found

    def runs(self, deployment: str) -> list[Json]:
        named = {"deployments": {"id": {"any_": [self.deployment(deployment)["id"]]}}}
        found: list[Json] = self.call("POST", "/flow_runs/filter", **named)
        return found

    def set_state(self, run_id: str, state_type: str, name: str, **state: Any) -> None:
        self.call("POST", f"/flow_runs/{run_id}/set_state", state={"type": state_type, "name": name, **state})

    def suspend(self, run_id: str) -> None:
        self.set_state(run_id, "PAUSED", "Suspended", state_details={"pause_reschedule": True})

    def resume(self, run_id: str) -> None:
        self.call("POST", f"/flow_runs/{run_id}/resume")

    def retry(self, run_id: str) -> None:
        self.set_state(run_id, "SCHEDULED", "AwaitingRetry", message="Retry from the Prefect UI")

    def cancel(self, run_id: str) -> None:
        self.set_state(run_id, "CANCELLING", "Cancelling")

    def events(self, name: str, verdict: str) -> list[Json]:
        wanted = {"event": {"name": [name]}, "resource": {"labels": {"assay.verdict": [verdict]}}}
        found: list[Json] = self.call("POST", "/events/filter", filter=wanted)["events"]
        return found

    def log(self, run_id: str) -> list[str]:
        wanted = {"flow_run_id": {"any_": [run_id]}, "level": {"ge_": 40}}
        return [line["message"] for line in self.call("POST", "/logs/filter", logs=wanted)]

    def ended_tasks(self, run_id: str, count: int) -> dict[str, tuple[str, str]] | None:
        """Return state and message of the task runs of a run by their names, once so many have ended."""
        found = self.call("POST", "/task_runs/filter", flow_runs={"id": {"any_": [run_id]}})
        states = {run["name"]: (run["state"]["type"], run["state"]["message"]) for run in found if run["state"]}
        ended = [kind for kind, _ in states.values() if kind in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")]
        return states if len(ended) == count else None

    def artifacts(self, run_id: str) -> set[str]:
        found = self.call("POST", "/artifacts/filter", flow_runs={"id": {"any_": [run_id]}})
        return {artifact["key"] for artifact in found}

    def _send(self, method: str, path: str, body: Json) -> httpx.Response:
        return self._served.ask_prefect(method, path, body or None)


def job_of(served: Served, run_id: str) -> str:
    """Return the job of a flow run, once it is there."""
    prefect = Prefect(served)
    tags = until("the run to be tagged", lambda: [tag for tag in prefect.run(run_id)["tags"] if tag.startswith("job:")])
    job_id = str(tags[0]).removeprefix("job:")
    url = f"{served.url}/v2/evaluation/jobs/{job_id}"
    until(f"{job_id} to be registered", lambda: httpx.get(url, timeout=WAIT_S).is_success)
    return job_id


def store_pair(served: Served, endpoint: ScriptedEndpoint, namespace: str, rows: int, **more: Any) -> Json:
    """Store a target and a config of some rows as namespace/model and namespace/qa; return them as parameters."""
    lines = "".join(f'{{"question": "{namespace} {n} ANSWER: {n}", "answer": "{n}"}}\n' for n in range(rows))
    task = chat_task(served.dataset(f"{namespace}.jsonl", lines))
    spec = job(model(endpoint.url, "scripted", **more), params={"parallelism": 4}, qa=task)
    stored = {"target": "model", "config": "qa"}
    for kind, name in stored.items():
        url = f"{served.url}/v1/evaluation/{kind}s"
        httpx.delete(f"{url}/{namespace}/{name}", timeout=WAIT_S)
        body = {**spec[kind], "namespace": namespace, "name": name}
        httpx.post(url, json=body, timeout=WAIT_S).raise_for_status()
    return {kind: f"{namespace}/{name}" for kind, name in stored.items()}
