"""What the README says is run, and prints what the README shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Served

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def fences(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def example(naming: str) -> tuple[str, str]:
    """Return the Python example with these words in it, and what it is said to print."""
    [code] = [fence for fence in fences("python") if naming in fence]
    [shown] = re.findall(re.escape(code) + r"```\n\n```text\n(.*?)```", README, re.DOTALL)
    return code, shown


def printed_by(code: str, folder: Path, **environment: str) -> str:
    settings = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    script = folder / "example.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, script], cwd=folder, env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def qa(tmp_path: Path) -> Path:
    [content] = fences("yaml")
    (tmp_path / "qa.yaml").write_text(content)
    return tmp_path


def test_the_example_of_the_sdk_prints_what_is_shown(served: Served, tmp_path: Path) -> None:
    code, shown = example("NeMoMicroservices")
    assert "$ export EVALUATOR_BASE_URL=http://127.0.0.1:7331\n" in README
    assert printed_by(code, tmp_path, EVALUATOR_BASE_URL=served.url) == shown


@pytest.mark.thorough
def test_a_deployment_is_run_as_shown(served: Served, tmp_path: Path) -> None:
    code, shown = example("run_deployment")
    assert len(code.splitlines()) <= 6
    assert printed_by(code, tmp_path, **served.prefect_client) == shown


@pytest.mark.thorough
def test_the_flow_is_called_as_shown(served: Served, qa: Path) -> None:
    code, shown = example("flows.evaluate")
    assert printed_by(code, qa, ASSAY_HOME=str(qa / "home"), **served.prefect_client) == shown


@pytest.mark.thorough
def test_the_commands_of_the_shell_print_what_is_shown(served: Served, qa: Path) -> None:
    [query] = re.findall(r"^\$ assay sql \"(.*)\"$", README, re.MULTILINE)
    [shown] = re.findall(re.escape(query) + r"\"\n```\n\n```text\n(.*?)```", README, re.DOTALL)
    assay = [sys.executable, "-m", "cli"]
    home = {"ASSAY_URL": served.url, "ASSAY_HOME": str(served.home), "COLUMNS": "120"}
    run = subprocess.run(
        [*assay, "run", "qa.yaml"],
        cwd=qa,
        env=os.environ | home | {"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    [job_id] = re.findall(r"Job (job-\w+)", run.stdout + run.stderr)
    # Of the one job alone: the service of the tests has others.
    own = f"{query} WHERE job_id = '{job_id}'"
    sql = subprocess.run(
        [*assay, "sql", own, "--format", "table"],
        cwd=ROOT,
        env=os.environ | home,
        check=True,
        capture_output=True,
        text=True,
    )
    assert sql.stdout == shown


def test_the_commands_are_targets_of_make() -> None:
    commands = re.findall(r"^\$ make (\S+)$", README, re.MULTILINE)
    assert commands[:2] == ["demo", "test"]
    for target in {*commands, *re.findall(r"`make ([a-z-]+)`", README)}:
        dry = subprocess.run(["make", "--dry-run", target], cwd=ROOT, env=os.environ, capture_output=True, check=False)
        assert dry.returncode == 0, target


def test_every_folder_and_file_it_names_exists() -> None:
    named = re.findall(r"`((?:core|store|tasks|flows|api|cli|tests|bench|docs)/[\w./-]*)`", README)
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []
