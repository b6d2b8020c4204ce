import asyncio
import logging
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field

from api.http.errors import add_error_answers, place
from core.errors import (
    AssayError,
    Conflict,
    DatasetUnreadable,
    EndpointFailed,
    Misconfigured,
    NotFound,
    ResultsMissing,
    SpecInvalid,
    StorageFailed,
    StorageFull,
)


def answer_to(error: Exception) -> httpx.Response:
    """The answer of an application whose only route raises `error`."""

    def fail() -> None:
        raise error

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://assay") as client:
            return await client.get("/")

    app = FastAPI()
    add_error_answers(app)
    app.get("/")(fail)
    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (NotFound("Job not found"), 404, "Job not found"),
        (Conflict("taken"), 409, "taken"),
        (StorageFull("no space left for the tables"), 507, "no space left for the tables"),
        (StorageFailed("the tables may only be read"), 503, "the tables may only be read"),
        (ResultsMissing("scores/00000.parquet is damaged"), 500, "scores/00000.parquet is damaged"),
        (Misconfigured("ASSAY_X is not set"), 500, "ASSAY_X is not set"),
        (EndpointFailed("the endpoint is away"), 500, "the endpoint is away"),
        (
            SpecInvalid("no such type", field="spec.config.type"),
            422,
            [{"loc": ["body", "spec", "config", "type"], "msg": "no such type", "type": "value_error"}],
        ),
        (DatasetUnreadable("empty"), 422, [{"loc": ["body"], "msg": "empty", "type": "value_error"}]),
    ],
)
def test_a_core_error_is_answered_with_its_status_and_message(error: AssayError, status: int, detail: Any):
    response = answer_to(error)
    assert response.status_code == status
    assert response.json() == {"detail": detail}
    assert response.headers.get("x-should-retry") == ("false" if status == 409 or status >= 500 else None)


def test_a_service_error_is_logged_and_a_users_is_not(caplog):
    with caplog.at_level(logging.INFO, logger="api.http.errors"):
        answer_to(Conflict("taken"))
        assert caplog.messages == []
        answer_to(ResultsMissing("scores are gone"))
    assert caplog.messages == ["results_missing: scores are gone"]


def test_an_unexpected_error_gives_nothing_away():
    response = answer_to(RuntimeError("MARKER"))
    assert response.status_code == 500
    assert response.json() == {"detail": "Internal server error"}
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("loc", "missing", "kept"),
    [
        (["body", "a", "tag", "b"], False, ["body", "a", "b"]),
        (["body", "a", "tag", "c"], True, ["body", "a", "c"]),
        (["body", "a", "b", "int"], False, ["body", "a", "b"]),
        (["body", "rows", "tag", 0, "x"], True, ["body", "rows", 0, "x"]),
        (["query", "page"], False, ["query", "page"]),
        (["body"], False, ["body"]),
    ],
)
def test_a_place_names_only_what_the_request_holds_or_lacks(loc, missing, kept):
    body = {"a": {"b": 1}, "rows": [{}]}
    assert place(loc, body, missing=missing) == kept
    assert place(kept, body, missing=missing) == kept


def test_the_place_of_broken_json_stays():
    assert place(["body", 17], '{"a": ') == ["body", 17]
    assert place(["body"], None) == ["body"]


def test_what_is_wrong_is_said_shortly_however_long_a_name_it_is_about(service):
    body = {"target": "a/" + "é" * 90_000, "config": "a/b"}
    response = service.http.post("/v1/evaluation/jobs", json=body)
    assert response.is_client_error
    assert len(response.content) < 10_000


def test_a_list_is_not_called_too_short_for_what_was_refused_in_it() -> None:
    class Item(BaseModel, extra="forbid"):
        name: str

    class Body(BaseModel):
        items: Annotated[tuple[Item, ...], Field(min_length=1)]

    def refused(body: dict[str, Any]) -> list[str]:
        app = FastAPI()
        add_error_answers(app)

        @app.post("/")
        def take(body: Body) -> None:
            return None

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://assay") as client:
                return await client.post("/", json=body)

        return [each["type"] for each in asyncio.run(ask()).json()["detail"]]

    assert refused({"items": [{"name": "a", "nam": "b"}]}) == ["extra_forbidden"]
    assert refused({"items": []}) == ["too_short"]
