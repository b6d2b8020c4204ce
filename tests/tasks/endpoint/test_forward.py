import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from core.errors import Misconfigured, NotFound
from core.settings import ModelSettings, Settings
from store.workspace import Workspace
from tasks.endpoint.forward import PARALLELISM, Forwarder
from tests.scripted import ScriptedEndpoint, failure


@pytest.fixture
def home(tmp_path: Path) -> Path:
    Workspace.open(Settings(home=tmp_path), migrating=True).close()
    return tmp_path


def forwarder(home: Path, **settings: Any) -> Forwarder:
    workspace = Workspace.open(Settings(home=home, **settings))
    return Forwarder(workspace.settings, workspace.vault.reveal)


def test_a_model_is_asked_where_the_settings_say_with_the_key_of_that_place(home, monkeypatch):
    monkeypatch.setenv("OWN_KEY", "own")
    models = {
        "own": ModelSettings(url="http://own/v1", api_key_env="OWN_KEY", concurrency=2, requests_per_minute=60),
        "open": ModelSettings(url="http://open/v1"),
        "bounded": ModelSettings(concurrency=3),
    }
    forward = forwarder(home, models=models, default_endpoint="http://all/v1", default_api_key=SecretStr("all"))
    routes = {name: forward.route(name) for name in (*models, "other")}
    assert {name: (route.origin, route.api_key) for name, route in routes.items()} == {
        "own": ("http://own", "own"),
        "open": ("http://open", None),
        "bounded": ("http://all", "all"),
        "other": ("http://all", "all"),
    }
    assert [routes[name].bounds.concurrency for name in routes] == [2, None, 3, None]
    assert routes["own"].url == "http://own/v1/chat/completions"


def test_a_key_that_the_operator_has_not_set_is_no_fault_of_the_request(home, monkeypatch):
    monkeypatch.delenv("OWN_KEY", raising=False)
    models = {"own": ModelSettings(url="http://own/v1", api_key_env="OWN_KEY")}
    with pytest.raises(Misconfigured, match="variable OWN_KEY, which is the api_key_env of model 'own'") as refused:
        forwarder(home, models=models).route("own")
    assert refused.value.blame == "service"


def test_a_model_without_a_url_is_not_found(home):
    with pytest.raises(NotFound, match="model 'm' has no URL"):
        forwarder(home).route("m")
    with pytest.raises(NotFound, match="model 'm' has no URL"):
        forwarder(home, models={"m": ModelSettings(concurrency=1)}).route("m")


def test_a_call_is_made_once_and_a_few_at_a_time(home, endpoint: ScriptedEndpoint):
    forward = forwarder(home, default_endpoint=endpoint.url)
    endpoint.latency_s = 0.02

    async def ask(count: int) -> list[Any]:
        return await asyncio.gather(*(forward.ask(forward.route("m"), b'{"messages":[]}') for _ in range(count)))

    assert {reply.outcome for reply in asyncio.run(ask(2 * PARALLELISM))} == {"answered"}
    assert endpoint.peak == PARALLELISM
    endpoint.script = lambda _: failure(503, "later", {"Retry-After": "3"})
    (reply,) = asyncio.run(ask(1))
    assert (reply.outcome, reply.status, reply.attempts, reply.pause_s) == ("transient", 503, 1, 3.0)
