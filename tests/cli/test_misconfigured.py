"""Every command and process says in one sentence which setting is wrong, and ends with 2."""

import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from cli.main import answer

Capture = pytest.CaptureFixture[str]

COMMANDS = (
    ["serve"],
    ["demo"],
    ["migrate"],
    ["recover"],
    ["run", "qa.yaml"],
    ["sql", "SELECT 1"],
    ["fsck", "--all"],
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder without settings."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: Capture) -> str:
    """Return the one line that a command has said."""
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    return line


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_names_the_setting(command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("ASSAY_PORT", "http")
    assert answer(command) == 2
    assert said(capsys).startswith("ASSAY_PORT in the environment: ")


@pytest.mark.parametrize("module", ["api.__main__", "flows.__main__"])
def test_every_process_names_the_setting(module: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("ASSAY_PORT", "http")
    with pytest.raises(SystemExit) as ended:
        import_module(module).main()
    assert ended.value.code == 2
    assert said(capsys).startswith("ASSAY_PORT in the environment: ")


@pytest.mark.thorough
def test_a_process_with_prefect_in_it_says_no_more_than_the_setting(place: Path) -> None:
    environment = {"ASSAY_PORT": "http", "PREFECT_API_URL": "http://127.0.0.1:1/api", "PREFECT_HOME": str(place)}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "flows.deploy"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("ASSAY_PORT in the environment: ")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (("ASSAY_HOME", "{place}/file"), ["ASSAY_HOME {place}/file cannot be used: File exists"]),
        (("ASSAY_DATABASE_URL", "hunter2"), ["ASSAY_DATABASE_URL must be"]),
        (("ASSAY_DATABASE_URL", "sqlite:///{place}/file/x.db"), ["ASSAY_DATABASE_URL", "{place}/file cannot be used"]),
        (("ASSAY_DATABASE_URL", "sqlite:///{place}/file"), ["sqlite:///{place}/file", "file is not a database"]),
        (("ASSAY_DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:1/x"), ["ASSAY_DATABASE_URL", "127.0.0.1:1/x"]),
    ],
)
def test_what_cannot_be_opened_is_named(
    place: Path, setting: tuple[str, str], words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    name, value = setting
    (place / "file").write_text("no database " * 1000)
    monkeypatch.setenv(name, value.format(place=place))
    assert answer(["migrate"]) == 2
    line = said(capsys)
    assert [word for word in words if word.format(place=place) not in line] == []
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ASSAY_HOST", "nosuch.invalid", "nothing can listen on ASSAY_HOST nosuch.invalid"),
        ("ASSAY_ALLOW_ENDPOINTS", "http://x/", "ASSAY_ALLOW_ENDPOINTS: 'http://x/' is no host"),
    ],
)
def test_a_service_that_cannot_start_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv("ASSAY_API_KEYS", "key-0123456789")
    monkeypatch.setenv("ASSAY_PORT", "0")
    monkeypatch.setenv(name, value)
    assert answer(["serve"]) == 2
    assert words in said(capsys)


def test_a_prefect_server_that_is_not_there_is_named_without_what_signs_in_to_it(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("cli.serve.FOREIGN_S", 0.0)
    monkeypatch.setenv("ASSAY_PORT", "0")
    monkeypatch.setenv("PREFECT_API_URL", "http://me:hunter2@127.0.0.1:1/api")
    assert answer(["serve"]) == 2
    line = said(capsys)
    assert line.startswith("PREFECT_API_URL points at http://127.0.0.1:1/api, which refuses connections; ")
    assert "hunter2" not in line


def test_a_port_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("ASSAY_PORT", str(port))
        assert answer(["serve"]) == 2
    assert said(capsys) == f"port {port} of 127.0.0.1 is taken; set ASSAY_PORT to another"


def test_a_service_url_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("ASSAY_URL", "http://localhost:port")
    assert answer(["jobs", "list"]) == 2
    assert said(capsys).startswith("ASSAY_URL in the environment is no URL")
