import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from api.http.body import MAX_DEPTH, refuse_unportable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
JOBS = "/v2/evaluation/jobs"


def accepted(value: JsonValue) -> bool:
    try:
        refuse_unportable(value)
    except ValueError:
        return False
    return True


@given(JSON)
def test_what_is_accepted_survives_a_stricter_json_library(value):
    if accepted(value):
        assert orjson.loads(orjson.dumps(value)) == value
    else:
        assert orjson_refuses(value) or "NaN" in json.dumps(value) or "Infinity" in json.dumps(value)


def orjson_refuses(value: object) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return True
    return False


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"a": value}])
def test_nesting_is_bounded(wrap):
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = wrap(value)
    assert accepted(value)
    assert not accepted(wrap(value))


def test_a_body_declared_too_long_is_answered_413(service):
    sent = json.dumps({"description": "x" * service.state.settings.max_body})
    response = service.http.post(JOBS, content=sent)
    assert response.status_code == 413
    assert str(service.state.settings.max_body) in response.json()["detail"]
    assert service.http.get("/health").status_code == 200


def test_a_streamed_body_that_grows_too_long_is_answered_413(service):
    def chunks() -> Iterator[bytes]:
        for _ in range(service.state.settings.max_body // 1000 + 1):
            yield b"x" * 1000

    response = service.http.post(JOBS, content=chunks(), headers={"content-type": "application/json"})
    assert response.status_code == 413
    assert str(service.state.settings.max_body) in response.json()["detail"]
    assert service.http.get("/health").status_code == 200


def test_a_streamed_body_within_the_limit_is_read(service):
    response = service.http.post(JOBS, content=iter([b"{", b"}"]), headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "spec"]
