"""Commands find the service by ASSAY_URL, by the settings, and by what a running one notes in its home."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.place import NOTE, Unreachable, find_service, noted
from core.settings import Settings


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder without settings."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_url_that_is_given_is_taken_as_it_is(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "assay.toml").write_text("port = 'none'\n")
    monkeypatch.setenv("ASSAY_URL", "https://evals.example.com/")
    assert find_service() == "https://evals.example.com"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_settings_say_where_the_service_is(place: Path, listening: int, host: str) -> None:
    (place / "assay.toml").write_text(f"host = '{host}'\nport = {listening}\napi_keys = ['key-0123456789']\n")
    assert find_service() == f"http://127.0.0.1:{listening}"


def test_a_service_on_another_port_is_found_by_its_home_as_long_as_it_runs(place: Path, listening: int) -> None:
    (place / "assay.toml").write_text("port = 1\n")
    url = f"http://127.0.0.1:{listening}"
    with noted(place / ".assay", url):
        assert (place / ".assay" / NOTE).stat().st_mode & 0o777 == 0o600
        assert find_service() == url
    assert not (place / ".assay" / NOTE).exists()


def test_without_a_service_it_is_said_where_it_was_looked_for(place: Path) -> None:
    (place / "assay.toml").write_text("\nport = 1\n")
    with pytest.raises(Unreachable) as refused:
        find_service()
    assert str(refused.value) == (
        f"no service is at http://127.0.0.1:1 (port in {place}/assay.toml, line 2), "
        f"nor at {place}/.assay/{NOTE} (which a running service writes): "
        "start one with `assay serve`, or set ASSAY_URL to where one is"
    )


def test_what_listens_everywhere_is_asked_on_this_machine(place: Path) -> None:
    settings = Settings(host="::", port=8001, api_keys=("key-0123456789",))
    assert settings.listening_url == "http://[::1]:8001"
