"""The comparison that docs/statistics.md shows is the one that is printed, and its program says the same."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from cli.main import answer
from tests.api.native.test_comparisons import done

DOCUMENT = (Path(__file__).parents[3] / "docs/statistics.md").read_text()


@pytest.fixture(scope="module")
def compared(service: Any) -> None:
    """The two jobs of the page: of 220 samples 30 are better and 12 worse."""
    passed = {
        "baseline": [True] * 80 + [False] * 140,
        "candidate": [True] * 68 + [False] * 12 + [True] * 30 + [False] * 110,
    }
    for name, answers in passed.items():
        job = done(service, *("yes" if each else "no" for each in answers), name=name)
        service.state.jobs.settle(job, status="completed")


def test_the_comparison_is_what_is_printed(
    service: Any, compared: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_URL", str(service.http.base_url))
    monkeypatch.setenv("COLUMNS", "80")
    assert answer(["compare", "baseline", "candidate", "--format", "table"]) == 0
    told = capsys.readouterr()
    lines = "".join(f"{line}\n" for line in told.err.splitlines())
    assert f"```text\n{told.out}{lines}```" in DOCUMENT


def test_the_program_says_the_same(service: Any, compared: None, monkeypatch: pytest.MonkeyPatch) -> None:
    [(program, told)] = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", DOCUMENT, re.DOTALL)
    monkeypatch.setenv("ASSAY_HOME", str(service.state.settings.home))
    monkeypatch.setenv("ASSAY_DATABASE_URL", service.state.settings.jobs_url)
    monkeypatch.chdir(service.state.settings.home)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(program, "docs/statistics.md", "exec"), {})
    assert printed.getvalue() == told
