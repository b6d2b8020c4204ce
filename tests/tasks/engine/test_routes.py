import pytest
from pydantic import SecretStr

from core.endpoint import Endpoint
from core.settings import ModelSettings, Settings
from store.workspace import Workspace
from tasks.endpoint.limits.ledger import Bounds
from tasks.engine.engine import Engine
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, chat, model, rows, spec

KEY = "sk-lab-0123456789"


def test_the_service_s_own_keys_go_to_its_own_endpoints_alone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", KEY)
    models = {
        "hosted": ModelSettings(url="http://hosted/v1", api_key_env="LAB_KEY"),
        "keyless": ModelSettings(url="http://local/v1"),
    }
    home = lab.workspace.settings.home
    settings = Settings(
        home=home, models=models, default_endpoint="http://default/v1", default_api_key=SecretStr("sk-default")
    )
    job = lab.add(spec(model(lab.model.url), rows(1), CORRECT))
    engine = Engine(Workspace.open(settings), job, attempt=1, worker="lab", tell=str)

    def key(name: str, url: str | None = None) -> str | None:
        return engine.routes.to(Endpoint(model=name, url=url), chat("x")).api_key

    assert (key("other"), key("other", "http://elsewhere/v1")) == ("sk-default", None)
    assert (key("hosted"), key("hosted", "http://hosted/v1"), key("hosted", "http://elsewhere/v1")) == (KEY, KEY, None)
    assert (key("keyless"), key("keyless", "http://elsewhere/v1")) == (None, None)


def test_a_url_is_the_job_s_or_the_model_s_or_the_default(lab: Lab) -> None:
    models = {"known": ModelSettings(url="http://known/v1", concurrency=3, requests_per_minute=60)}
    settings = Settings(home=lab.workspace.settings.home, models=models, default_endpoint="http://default/v1")
    job = lab.add(spec(model(lab.model.url), rows(1), CORRECT, request_timeout_s=7, max_retries=2))
    engine = Engine(Workspace.open(settings), job, attempt=1, worker="lab", tell=str)
    prompt = chat("x")
    assert (
        engine.routes.to(Endpoint(model="known", url="http://own/v1"), prompt).url == "http://own/v1/chat/completions"
    )
    assert engine.routes.to(Endpoint(model="other"), prompt).url == "http://default/v1/chat/completions"
    known = engine.routes.to(Endpoint(model="known"), prompt)
    assert (known.url, known.bounds) == ("http://known/v1/chat/completions", Bounds(3, 60))
    assert (known.timeout_s, known.max_retries, known.api_key) == (7, 2, None)
