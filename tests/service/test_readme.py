"""What the README says is run, and prints what the README shows."""

import contextlib
import io
import os
import re
import subprocess
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def fences(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_example_of_the_sdk_prints_what_is_shown(served) -> None:
    [example] = [fence for fence in fences("python") if "NeMoMicroservices" in fence]
    [shown] = re.findall(re.escape(example) + r"```\n\n```text\n(.*?)```", README, re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(example.replace("http://127.0.0.1:7331", served.url), {})
    assert printed.getvalue() == shown


def test_the_query_over_plain_parquet_finds_the_results(served, monkeypatch) -> None:
    monkeypatch.chdir(served.home)
    [query] = fences("sql")
    rows = duckdb.sql(query).fetchall()
    assert any(row[:4][1:] == ("capitals", "correct", "string-check") for row in rows)


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
