"""Requests made up from the service's own schema: whatever they say, it answers as the schema tells."""

from contextlib import suppress

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.nemo import live

CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance, status_code_conformance]
VALID_REQUESTS = 10
BROKEN_REQUESTS = 10


@pytest.fixture(scope="module")
def described(service) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{service.url}/openapi.json")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine works for this service, so that a live evaluation never ends."""
    monkeypatch.setattr(live, "PATIENCE_S", 0.05)


@pytest.mark.parametrize(
    ("mode", "examples"), [(GenerationMode.POSITIVE, VALID_REQUESTS), (GenerationMode.NEGATIVE, BROKEN_REQUESTS)]
)
def test_any_request_is_answered_as_the_schema_tells(described, mode, examples):
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) > 40
    if mode is GenerationMode.NEGATIVE:  # almost any path is right, so that a wrong one takes long to find
        operations = [operation for operation in operations if operation.body or operation.query]
        assert len(operations) > 10
    with requests.Session() as session:
        for operation in operations:

            @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy(generation_mode=mode))
            def answered(case: schemathesis.Case) -> None:
                case.call_and_validate(session=session, checks=CHECKS, timeout=10)

            with suppress(Unsatisfiable):  # where nothing can be wrong
                answered()
