"""Requests made up from the service's own schema: whatever they say, each face answers as the schema tells.

`ASSAY_CASES` is how many of each kind are made up for each operation.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.nemo import live
from tests.api.together import bodies as together
from tests.tasks import specs

CASES: Final = int(os.environ.get("ASSAY_CASES", "3"))
CONFORMING: Final = [response_schema_conformance, content_type_conformance, status_code_conformance]
UNSUPPORTED: Final = 501
"""What some faces document for what is not supported: no failure of the service."""

ROWS_TARGET: Final = {"type": "rows", "rows": [{"a": "1"}]}
CHAT: Final = {
    "input": {"messages": [{"role": "user", "content": "q"}]},
    "output": {"choices": [{"message": {"role": "assistant", "content": "a"}}]},
}

Known = dict[str, str]


@pytest.fixture(scope="module")
def described(service: Any) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{service.url}/openapi.json")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine works for this service, so that a live evaluation never ends."""
    monkeypatch.setattr(live, "PATIENCE_S", 0.05)


class Things:
    """Things of all faces to ask for, made anew where they may have been deleted."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def ids(self) -> Iterator[tuple[str, Known]]:
        """Yield the beginnings of paths, and the parameters with which they lead to something."""
        file_id = self._file()
        entity = self._post("/v1/evaluation/targets", ROWS_TARGET)
        yield "/v1/evaluation/targets", {"namespace": "default", "name": entity["name"]}
        config = self._post("/v1/evaluation/configs", {"type": "custom", "tasks": {}})
        yield "/v1/evaluation/configs", {"namespace": "default", "name": config["name"]}
        spec = specs.spec(specs.recorded("answer"), specs.rows(1), specs.CORRECT).model_dump(mode="json")
        job_id = self._post("/api/assay/v1/jobs", {"spec": spec})["id"]
        yield from ((prefix, {"job_id": job_id}) for prefix in ("/api/assay", "/v2/evaluation", "/v1/jobs"))
        judging = together.judge("http://127.0.0.1:9/v1")
        yield (
            "/v1/evaluation/{job_id}",
            {"job_id": self._post("/v1/evaluation", together.classify(judging, file_id))["workflow_id"]},
        )
        yield "/v1/files", {"file_id": file_id}
