import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.errors import Misconfigured
from core.settings import ModelSettings, Settings, ending_if_misconfigured, read_settings, unknown_variables

KEY = "key-0123456789"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder without settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASSAY_CONFIG", raising=False)
    return tmp_path


def keys(settings: Settings) -> list[str]:
    return [key.get_secret_value() for key in settings.api_keys]


def test_without_any_setting_the_service_keeps_to_itself(place: Path) -> None:
    settings = Settings()
    assert (settings.home, settings.host, settings.port) == (place / ".assay", "127.0.0.1", 7331)
    assert (settings.parallelism, settings.max_jobs, settings.work_pool) == (8, 8, "assay")
    assert (settings.on_loopback, settings.api_keys, settings.models) == (True, (), {})
    assert settings.jobs_url == f"sqlite:///{place}/.assay/assay.db"


def test_the_file_is_read_and_the_environment_wins(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "assay.toml").write_text(
        'port = 8001\nparallelism = 3\n\n[models."org/m"]\nurl = "http://m/v1"\nconcurrency = 2\n'
    )
    monkeypatch.setenv("ASSAY_PORT", "8002")
    settings = Settings()
    assert (settings.port, settings.parallelism) == (8002, 3)
    assert settings.models == {"org/m": ModelSettings(url="http://m/v1", concurrency=2)}


def test_assay_config_names_another_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "assay.toml").write_text("port = 8001\n")
    (place / "other.toml").write_text("port = 8003\n")
    monkeypatch.setenv("ASSAY_CONFIG", str(place / "other.toml"))
    assert Settings().port == 8003
    assert Settings(port=8004).port == 8004


@pytest.mark.parametrize(
    ("toml", "where", "line", "why"),
    [
        ("prot = 8001\n", "prot", 1, "there is no such setting; is port meant?"),
        ('[models."m"]\nuri = "http://m"\n', "models.m.uri", 2, "there is no such setting; is url meant?"),
        ('home = "="\n[models."m=1"] # m\nurl = "m:8000"\n', "models.m=1.url", 3, "it must begin"),
        ("# port = 1\nport = 70000\n", "port", 2, "Input should be less"),
        ("parallelism = 0\n", "parallelism", 1, "Input should be greater"),
        ("models.m.concurrency = 0\n", "models.m.concurrency", 1, "Input should be greater"),
        ("models.m.tokens_per_minute = 0\n", "models.m.tokens_per_minute", 1, "Input should be greater"),
        ("prune_older_than = 30\n", "prune_older_than", 1, "'30' is no age"),
        ("redis_url = 'localhost:6379'\n", "redis_url", 1, "it must begin with redis://"),
        ("hubs = [\n  'x',\n]\n", "hubs", 1, "a hub is"),
    ],
)
def test_a_wrong_setting_is_named_with_the_line_that_has_it(
    place: Path, toml: str, where: str, line: int, why: str
) -> None:
    (place / "assay.toml").write_text(toml)
    with pytest.raises(Misconfigured) as refused:
        read_settings()
    assert refused.value.message.startswith(f"{where} in {place}/assay.toml, line {line}: {why}")
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ASSAY_PORT", "http", "ASSAY_PORT in the environment: "),
        ("ASSAY_MODELS", '{"m": {"concurrency": 0}}', "ASSAY_MODELS.m.concurrency in the environment: "),
        ("ASSAY_MODELS", "m", "ASSAY_MODELS in the environment is not JSON"),
        (
            "ASSAY_DEFAULT_ENDPOINT",
            "localhost:8000",
            "ASSAY_DEFAULT_ENDPOINT in the environment: it must begin",
        ),
        ("ASSAY_API_KEYS", "@nosuch", "ASSAY_API_KEYS in the environment: nosuch cannot be read"),
        ("ASSAY_HOST", "0.0.0.0", "ASSAY_HOST is 0.0.0.0: set ASSAY_API_KEYS"),
        ("ASSAY_CONFIG", "nosuch.toml", "ASSAY_CONFIG names nosuch.toml, which is no file"),
    ],
)
def test_a_wrong_variable_is_named(place: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str):
    (place / "assay.toml").write_text("port = 8001\n")
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured) as refused:
        read_settings()
    assert refused.value.message.startswith(message)
    assert "\n" not in refused.value.message


def test_what_a_command_is_given_wins_and_is_named_as_its_option(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_PORT", "8001")
    assert read_settings(port=8002, home=None).port == 8002
    with pytest.raises(Misconfigured, match=r"^--port: Input should be less"):
        read_settings(port=70_000)


def test_a_file_that_is_no_toml_is_named_with_the_line(place: Path) -> None:
    (place / "assay.toml").write_text("port = 8001\nhost =\n")
    with pytest.raises(Misconfigured, match=rf"^{place}/assay.toml cannot be read: .*line 2"):
        read_settings()


def test_a_process_that_is_misconfigured_ends_with_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end, ending_if_misconfigured():
        raise Misconfigured("ASSAY_PORT is taken")
    assert (end.value.code, capsys.readouterr().err) == (2, "ASSAY_PORT is taken\n")


@pytest.mark.parametrize("given", [f"{KEY},second", f" {KEY} ,\n second ,", f"{KEY}\nsecond\n"])
def test_keys_are_separated_by_commas_or_stand_one_a_line(
    place: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("ASSAY_API_KEYS", given)
    assert keys(Settings()) == [KEY, "second"]
    (place / "keys.txt").write_text(given)
    monkeypatch.setenv("ASSAY_API_KEYS", f"@{place / 'keys.txt'}")
    assert keys(Settings()) == [KEY, "second"]


def test_keys_and_hosts_may_be_lists_in_the_file(place: Path) -> None:
    (place / "assay.toml").write_text(f'api_keys = ["{KEY}"]\nallow_endpoints = ["a.example", "10.0.0.0/8"]\n')
    assert keys(Settings()) == [KEY]
    assert Settings().allow_endpoints == ("a.example", "10.0.0.0/8")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "evals.example.com", ""])
def test_listening_beyond_this_machine_needs_keys(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    with pytest.raises(ValidationError, match=f"ASSAY_HOST is {host}: set ASSAY_API_KEYS to listen beyond"):
        Settings(host=host)
    monkeypatch.setenv("ASSAY_API_KEYS", " , ")
    with pytest.raises(ValidationError, match="set ASSAY_API_KEYS"):
        Settings(host=host)
    monkeypatch.setenv("ASSAY_API_KEYS", KEY)
    assert Settings(host=host).on_loopback is False


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_on_this_machine_alone_no_key_is_needed(host: str) -> None:
    settings = Settings(host=host)
    assert settings.on_loopback is True
    assert settings.api_keys == ()


def test_no_key_shows_in_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEYS", "SECRET_KEY", "DEFAULT_API_KEY"):
        monkeypatch.setenv(f"ASSAY_{name}", KEY)
    settings = Settings()
    assert KEY not in repr(settings)
    assert KEY not in settings.model_dump_json()
    assert settings.default_api_key is not None
    assert settings.default_api_key.get_secret_value() == KEY


def test_another_process_gets_the_same_home_address_and_datasets(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=Path("here"), host="::1", port=8005, datasets=place / "data")
    assert settings.environment() == {
        "ASSAY_HOME": str(place / "here"),
        "ASSAY_HOST": "::1",
        "ASSAY_PORT": "8005",
        "ASSAY_DATASETS": str(place / "data"),
    }
    assert "ASSAY_DATASETS" not in Settings().environment()
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_the_job_tables_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_DATABASE_URL", "postgresql://db/assay")
    assert Settings().jobs_url == "postgresql://db/assay"
    assert Settings(home=Path("/x"), database_url=None).jobs_url == "sqlite:////x/assay.db"


def test_a_variable_that_is_called_like_a_setting_and_is_none_is_named_with_the_nearest(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.upper().startswith("ASSAY_")]:
        monkeypatch.delenv(name)
    for name in ("ASSAY_PARALELISM", "ASSAY_ZZZ", "ASSAY_PORT", "ASSAY_URL", "ASSAY_MY_KEY"):
        monkeypatch.setenv(name, "1")
    assert unknown_variables(Settings(key_variables=("ASSAY_MY_KEY",))) == [
        "ASSAY_PARALELISM in the environment is no setting; is ASSAY_PARALLELISM meant?",
    ]
