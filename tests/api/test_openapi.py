"""Requests made up from the service's own schema: whatever they say, each face answers as the schema tells.

`ASSAY_CASES` is how many of each kind are made up for each operation, `ASSAY_SEED` another choice of as many.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.errors import UnsupportedSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.nemo.routes import live
from core.job import random_id
from tests.api.together import bodies as together
from tests.conftest import WAIT_S
from tests.tasks import specs

CASES: Final = int(os.environ.get("ASSAY_CASES", "2"))
SEED: Final = int(os.environ.get("ASSAY_SEED", "1"))
CHECKS: Final = [response_schema_conformance, content_type_conformance, status_code_conformance]
UNSUPPORTED: Final = 501
"""What faces document for what is not supported; all else from 500 on is a failure of ours."""

Json = dict[str, Any]
Known = dict[str, Any]
SPEC: Final = specs.spec(specs.recorded("answer"), specs.rows(1), specs.CORRECT).model_dump(mode="json")
CHAT: Final = {
    "input": {"messages": [{"role": "user", "content": "q"}]},
    "output": {"choices": [{"message": {"role": "assistant", "content": "a"}}]},
}


@pytest.fixture(scope="module")
def described(service: Any) -> Any:
    return schemathesis.openapi.from_url(f"{service.url}/openapi.json", timeout=WAIT_S)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine works for this service, so that a live evaluation never ends."""
    monkeypatch.setattr(live, "PATIENCE_S", 0.05)


@pytest.mark.thorough
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_any_request_is_answered_as_the_schema_tells(
    service: Any, described: Any, mode: GenerationMode, record_property: Callable[[str, object], None]
) -> None:
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) > 90
    if mode is GenerationMode.NEGATIVE:  # almost any path is right, so that a wrong one takes long to find
        operations = [operation for operation in operations if operation.body or operation.query]
        assert len(operations) > 30
    failures: list[str] = []
    statuses = Counter[int]()
    with requests.Session() as session:
        for operation in operations:
            known = known_to(service.http, operation.path)
            try:
                _try(operation, mode, session, known, statuses)
            except Exception as failure:
                failures.append(f"{operation.label}: {failure}")
    record_property("operations", len(operations))
    record_property("requests", statuses.total())
    for status, count in sorted(statuses.items()):
        record_property(f"answers {status}", count)
    assert not failures, "\n".join(failures)


def _try(operation: Any, mode: GenerationMode, session: requests.Session, known: Known, statuses: Counter[int]) -> None:
    """Make requests up for an operation, half of them for what there is."""

    @seed(SEED)
    @settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
    def answered(case: schemathesis.Case[Any], real: bool) -> None:
        if real:
            case.path_parameters = {**(case.path_parameters or {}), **known}
        response = case.call(session=session, timeout=WAIT_S)
        statuses[response.status_code] += 1
        assert response.status_code < 500 or response.status_code == UNSUPPORTED, response.text
        case.validate_response(response, checks=CHECKS)

    with suppress(Unsatisfiable, UnsupportedSchema):  # where nothing can be wrong, or none knows how to be
        answered()


def known_to(http: httpx.Client, path: str) -> Known:
    """Make what the path of an operation leads to, and return the parameters that lead there."""
    if "{" not in path:
        return {}
    begins = max((start for start in MADE if path.startswith(start)), key=len)
    return MADE[begins](http)


def _post(http: httpx.Client, path: str, **how: Any) -> Json:
    answer: Json = http.post(path, **how).raise_for_status().json()
    return answer


def _target(http: httpx.Client) -> Known:
    made = _post(http, "/v1/evaluation/targets", json={"type": "rows", "rows": [{"a": "1"}]})
    return {"namespace": "default", "name": made["name"]}


def _config(http: httpx.Client) -> Known:
    made = _post(http, "/v1/evaluation/configs", json={"type": "custom", "tasks": {"qa": {"type": "data"}}})
    return {"namespace": "default", "name": made["name"]}


def _v1_job(http: httpx.Client) -> Known:
    body = {"target": "/".join(_target(http).values()), "config": "/".join(_config(http).values())}
    return {"job_id": _post(http, "/v1/evaluation/jobs", json=body)["id"]}


def _result(http: httpx.Client) -> Known:
    made = _post(http, "/v1/evaluation/results", json={"job": _v1_job(http)["job_id"]})
    return {"result_id": made["id"]}


def _job(http: httpx.Client) -> Known:
    return {"job_id": _post(http, "/api/assay/v1/jobs", json={"spec": SPEC})["id"], "result_name": "artifacts"}


def _file(http: httpx.Client) -> Known:
    sent = {
        "files": {"file": ("rows.jsonl", b'{"response": "a"}\n')},
        "data": {"purpose": "eval", "file_type": "jsonl"},
    }
    return {"file_id": _post(http, "/v1/files", **sent)["id"]}


def _together(http: httpx.Client) -> Known:
    body = together.classify(together.judge("http://127.0.0.1:9/v1"), _file(http)["file_id"])
    return {"job_id": _post(http, "/v1/evaluation", json=body)["workflow_id"]}


def _upload(http: httpx.Client) -> Known:
    asked = {"purpose": "eval", "file_name": "rows.jsonl", "file_type": "jsonl"}
    answer = http.post("/v1/files", data=asked, follow_redirects=False)
    return {"token": answer.headers["location"].rpartition("/")[2], "number": 1}


def _benchmark(http: httpx.Client) -> Known:
    questions = json.dumps([{"question_num": 1, "question": "q", "answer": "a"}]).encode()
    made = _post(http, "/api/v3/benchmark/upload", files={"file": ("q.json", questions)}, data={"name": "q"})
    return {"benchmark_id": made["benchmark_id"]}


def _container(http: httpx.Client) -> Known:
    return {"label": _post(http, "/v1/containers", json={"label": random_id("c-"), "initial_model": "m"})["label"]}


def _evaluator(http: httpx.Client) -> Known:
    body = {"type": "code", "name": random_id("e-"), "source": "def run_evaluation(item): return 1"}
    return {"evaluator": _post(http, "/v1/evaluators", json=body)["id"]}


def _logged(http: httpx.Client) -> str:
    """Make a container with a logged chat."""
    label: str = _container(http)["label"]
    _post(http, "/v1/chat/completions/register", json={"container": label, "items": [CHAT]})
    return label


def _dataset(http: httpx.Client) -> Known:
    body = {"name": random_id("d-"), "container": _logged(http), "size": 1}
    return {"dataset_id": _post(http, "/v1/datasets", json=body)["id"]}


def _completion(http: httpx.Client) -> Known:
    logged = http.get("/v1/chat/completions", params={"container": _logged(http)}).json()["data"]
    return {"completion_id": logged[0]["id"]}


def _nothing(_: httpx.Client) -> Known:
    return {}


MADE: Final[Mapping[str, Callable[[httpx.Client], Known]]] = {
    "/v1/evaluation/targets/": _target,
    "/v1/evaluation/configs/": _config,
    "/v1/evaluation/jobs/": _v1_job,
    "/v1/evaluation/results/": _result,
    "/v1/evaluation/runs/": _nothing,
    "/v1/evaluation/{job_id}": _together,
    "/v1/jobs/": _job,
    "/v2/evaluation/jobs/": _job,
    "/api/assay/v1/jobs/": _job,
    "/api/assay/v1/files/": _file,
    "/v1/files/": _file,
    "/uploads/": _upload,
    "/api/v3/benchmark/": _benchmark,
    "/api/v3/evaluations/": _nothing,
    "/v1/containers/": _container,
    "/v1/evaluators/": _evaluator,
    "/v1/datasets/": _dataset,
    "/v1/chat/completions/": _completion,
}
"""What makes the things that the paths with such a beginning lead to."""
