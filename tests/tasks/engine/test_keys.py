import pytest
from pydantic import SecretStr

from core.errors import EndpointRefused, ServiceError
from core.job import Job
from core.settings import ModelSettings, Settings
from core.spec import EvaluationSpec
from store.workspace import Workspace
from tests.scripted import failure
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, chat, model, rows, spec

KEY = "sk-lab-0123456789"


def with_key(lab: Lab, kept: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, EvaluationSpec, dict[str, str]]:
    """Return settings, specification and stored keys so that the model is asked with `KEY`."""
    monkeypatch.setenv("LAB_KEY", KEY)
    home = lab.workspace.settings.home
    match kept:
        case "stored":
            target = model(lab.model.url, api_key="store:lab")
            return Settings(home=home), spec(target, rows(6), CORRECT), {"lab": KEY}
        case "environment":
            target = model(lab.model.url, api_key="env:LAB_KEY")
            return Settings(home=home), spec(target, rows(6), CORRECT), {}
        case "model":
            models = {"m": ModelSettings(url=lab.model.url, api_key_env="LAB_KEY")}
            return Settings(home=home, models=models), spec(model(None), rows(6), CORRECT), {}
    settings = Settings(home=home, default_endpoint=lab.model.url, default_api_key=SecretStr(KEY))
    return settings, spec(model(None), rows(6), CORRECT), {}


def fail_unforeseen(lab: Lab, job: Job) -> None:
    with lab.engaged(job) as engine, engine.failing():
        engine.routes.to(job.spec.targets[0].endpoint, chat("x"))  # type: ignore[union-attr]  # it is a model
        engine.log.say(f"it said {KEY}")
        raise ValueError(f"Authorization: Bearer {KEY}")


@pytest.mark.parametrize("kept", ["stored", "environment", "model", "default"])
def test_a_key_is_used_and_never_shown(lab: Lab, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, wanted, keys = with_key(lab, kept, monkeypatch)
    lab = Lab(Workspace.open(settings), lab.model)
    lab.model.script = lambda _: failure(401, f"Incorrect API key provided: {KEY}")
    job = lab.add(wanted, keys)
    with pytest.raises(EndpointRefused) as refused:
        lab.carry_out(job)
    with pytest.raises(ServiceError) as unforeseen:
        fail_unforeseen(lab, job)
    assert {call["headers"]["authorization"] for call in lab.model.calls} == {f"Bearer {KEY}"}
    assert unforeseen.value.message == "ValueError: Authorization: Bearer ******"
    folder = lab.workspace.folder(job.id)
    calls = [call for shard in lab.shards(job) for call in folder.read_calls("generate", shard)]
    shown = [str(refused.value), *lab.said, repr(lab.progress(job)), repr(calls), repr(lab.scores(job))]
    shown += [path.read_text() for path in (folder.log_path, folder.path / "manifest.json")]
    assert "it said ******" in lab.said
    assert "Incorrect API key provided: ******" in repr(calls)
    assert [text for text in shown if KEY in text] == []
