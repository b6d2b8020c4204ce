import socket
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr

from tests.api.conftest import MAX_BODY, Service, running

KEYS = ("first-key-0123456789", "zweiter-schlüssel")
JOBS = "/v2/evaluation/jobs"


@pytest.fixture(scope="module")
def guarded(service: Service) -> Iterator[httpx.Client]:
    """The same service, to those who have a key."""
    settings = service.state.settings.model_copy(update={"api_keys": tuple(map(SecretStr, KEYS))})
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with (
            running(replace(service.state, settings=settings), listening),
            httpx.Client(base_url=url, timeout=60) as client,
        ):
            yield client


def bearing(value: str) -> dict[bytes, bytes]:
    return {b"Authorization": value.encode()}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_each_key_opens_the_service(guarded: httpx.Client, scheme: str, key: str) -> None:
    answer = guarded.get(JOBS, headers=bearing(scheme + key))
    assert answer.status_code == 200
    assert answer.json()["object"] == "list"


@pytest.mark.parametrize(
    "value",
    [
        *("", "Bearer", f"Bearer {KEYS[0]}x", f"Bearer {KEYS[0][:-1]}", f"Basic {KEYS[0]}", KEYS[0]),
        f"Bearer {KEYS[0]},{KEYS[1]}",
        f"Bearer {KEYS[0].upper()}",
    ],
)
def test_anything_else_is_refused_and_told_how_to_ask(guarded: httpx.Client, value: str) -> None:
    answer = guarded.get(JOBS, headers=bearing(value))
    assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", [JOBS, f"{JOBS}/job-1", "/openapi.json", "/docs", "/nowhere", "/health/", "/health//"])
def test_without_a_key_not_even_the_paths_show(guarded: httpx.Client, path: str) -> None:
    assert guarded.get(path).status_code == 401
    assert guarded.post(path, json={}).json() == {"detail": "Not authenticated"}


def test_a_key_in_the_query_is_no_key(guarded: httpx.Client) -> None:
    assert guarded.get(JOBS, params={"api_key": KEYS[0]}).status_code == 401
    assert guarded.get(JOBS, headers={"x-api-key": KEYS[0]}).status_code == 401


def test_health_is_for_all(guarded: httpx.Client) -> None:
    assert guarded.get("/health").status_code == 200
    assert guarded.head("/health").status_code in (200, 405)


def test_a_body_is_not_looked_at_before_the_key(guarded: httpx.Client) -> None:
    large = b"[" * (MAX_BODY + 1)
    assert guarded.post(JOBS, content=large).status_code == 401
    assert guarded.post(JOBS, content=large, headers=bearing(f"Bearer {KEYS[0]}")).status_code == 413


def test_without_keys_all_may_call(service: Service) -> None:
    assert service.http.get(JOBS).status_code == 200
    assert service.http.get(JOBS, headers={"Authorization": "Bearer whatever"}).status_code == 200
