"""Every route, asked for by an example of its path: it is reached, and errs as the face does that has it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from pydantic import SecretStr
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import FACES, create_app
from api.http.faces import owner
from api.http.state import State
from tests.api.conftest import Service

KEY = "a-key-0123456789"
EXAMPLE = "eval-1a2b-1700000000"
"""What stands for the parameters of paths: an id as Together's jobs have it, whose paths match no other."""

NUMBERS = {"number": "1"}
OWNERS: dict[str, str] = {**{each: each for each in ("nemo", "maniac", "together", "nugen")}, "native": "assay"}
"""By the folder of a route's module; all other routes are no face's."""

SHAPES: dict[str, set[str]] = {
    "nemo": {"detail"},
    "nugen": {"detail"},
    "assay": {"detail"},
    "else": {"detail"},
    "together": {"error"},
    "maniac": {"error"},
    "nobody": {"detail", "error"},
}


class Example(NamedTuple):
    """A route with an example of its path."""

    method: str
    path: str
    endpoint: Callable[..., Any]

    @property
    def owner(self) -> str:
        return OWNERS.get(self.endpoint.__module__.split(".")[1], "else")


@dataclass
class Asked:
    """A client of an application that notes which endpoint each request reaches."""

    http: TestClient
    app: FastAPI
    reached: list[object] = field(default_factory=list)

    def examples(self) -> Iterator[Example]:
        for route in iter_route_contexts(self.app.routes):
            if isinstance(route.original_route, Mount) or route.endpoint.__module__.startswith("web."):
                continue  # of people: tests/web has them
            assert route.path
            assert route.methods
            assert route.endpoint
            path = re.sub(r"\{(\w+)[^}]*\}", lambda found: NUMBERS.get(found[1], EXAMPLE), route.path)
            for method in sorted(route.methods - {"HEAD"}):
                yield Example(method, path, route.endpoint)


class Noting:
    """Notes the endpoint that a request has reached."""

    def __init__(self, app: ASGIApp, asked: Asked) -> None:
        self.app, self.asked = app, asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
        self.asked.reached.append(scope.get("endpoint"))


def asking(state: State) -> Asked:
    app = create_app(state)
    client = TestClient(app, "http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False)
    asked = Asked(client, app)
    app.user_middleware.append(Middleware(Noting, asked=asked))
    return asked


@pytest.fixture(scope="module")
def asked(service: Service) -> Asked:
    return asking(service.state)


@pytest.fixture(scope="module")
def guarded(service: Service) -> Asked:
    settings = service.state.settings.model_copy(update={"api_keys": (SecretStr(KEY),)})
    return asking(replace(service.state, settings=settings))


def test_each_example_reaches_its_route_and_errs_as_its_face(asked):
    owners = set()
    for each in asked.examples():
        asked.reached.clear()
        response = asked.http.request(each.method, each.path, content=b"[]")
        assert asked.reached == [each.endpoint], each
        assert owner(FACES, each.path).name == each.owner, each
        assert response.status_code < 500 or response.status_code == 501, (each, response.text)
        if response.is_error:
            assert response.json().keys() == SHAPES[each.owner], (each, response.text)
            owners.add(each.owner)
    assert owners == {"nemo", "maniac", "together", "nugen", "assay"}


def test_no_two_routes_have_the_same_method_and_path(asked):
    examples = [(each.method, each.path) for each in asked.examples()]
    assert len(examples) > 100
    assert len(set(examples)) == len(examples)


def test_a_method_that_a_path_does_not_have_is_refused_as_its_face_does(asked):
    for each in asked.examples():
        response = asked.http.request("TRACE", each.path)
        assert response.status_code == 405, each
        assert response.json().keys() == SHAPES[each.owner], (each, response.text)


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/v1/nothing", "nobody"),
        ("/api/v1/nothing", "nobody"),
        ("/v1/v1/files/file-1/nothing", "together"),
        ("/v1/evaluation/eval-1/nothing", "together"),
        ("/v1/evaluation/jobs/a/b/c", "nemo"),
        ("/v2/nothing", "nemo"),
        ("/v1/datasets/a/b", "maniac"),
        ("/api/v1/datasets/a/b", "maniac"),
        ("/api/v3/nothing", "nugen"),
        ("/api/assay/v1/nothing", "assay"),
        ("/nothing", "else"),
    ],
)
def test_an_unknown_path_is_answered_as_its_neighbours_are(asked, path, owner):
    for method in ("GET", "POST", "DELETE"):
        response = asked.http.request(method, path)
        assert response.status_code == 404
        assert response.json().keys() == SHAPES[owner]


def test_without_a_key_no_route_is_reached_and_each_face_says_so_as_it_does(guarded):
    closed = [each for each in guarded.examples() if not each.path.startswith(("/health", "/uploads/"))]
    for each in closed:
        refused = guarded.http.request(each.method, each.path)
        wrong = guarded.http.request(each.method, each.path, headers={"authorization": "Bearer wrong"})
        assert refused.status_code == (403 if each.owner == "nugen" else 401), each
        assert wrong.status_code == 401, each
        assert refused.json().keys() == wrong.json().keys() == SHAPES[each.owner], each
    assert guarded.reached == []
    unknown = guarded.http.get("/v1/nothing")
    assert (unknown.status_code, unknown.json().keys()) == (401, SHAPES["nobody"])


def test_with_its_key_a_client_is_let_in(guarded):
    for path in ("/v2/evaluation/jobs", "/v1/evaluation", "/v1/evaluators", "/api/v3/evaluations"):
        guarded.reached.clear()
        assert guarded.http.get(path, headers={"authorization": f"Bearer {KEY}"}).status_code == 200
        assert len(guarded.reached) == 1
