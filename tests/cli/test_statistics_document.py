"""What docs/statistics.md shows is what is printed."""

import re
from pathlib import Path
from typing import get_args

import pytest

from cli import terminal
from cli.main import answer
from cli.tables import summary_table
from core.result import Outcome, Score
from core.stats.words import Caution, Doubt, Method, Reason, Remark, Word
from tasks.summaries.aggregator import Aggregator
from tests.core.stats.exact import clopper_pearson
from tests.tasks.specs import CORRECT, model, recorded, spec

DOCUMENT = (Path(__file__).parents[2] / "docs/statistics.md").read_text()


def test_the_example_is_what_the_figures_come_to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    aggregator = Aggregator(spec(recorded("said"), [], CORRECT).tasks)
    values = [1.0] * 63 + [0.0] * 18 + [None] * 19
    outcomes: list[Outcome] = ["judge_error" if value is None else "scored" for value in values]
    for sample, (outcome, value) in enumerate(zip(outcomes, values, strict=True)):
        aggregator.add([Score("qa", sample, "target", 0, "correct", "string-check", outcome, value)])
    summaries = aggregator.summaries()
    terminal.show(summary_table(summaries))
    assert f"```text\n{capsys.readouterr().out}```" in DOCUMENT
    [made] = summaries
    assert (made.worst_case, made.best_case) == (0.63, 0.82)


def test_the_example_of_trials_is_what_the_figures_come_to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    aggregator = Aggregator(spec(model("http://x/v1"), [], CORRECT).tasks, 3)
    passes = [3] * 28 + [2] * 6 + [1] * 4 + [0] * 12
    for sample, passed in enumerate(passes):
        scores = ((trial, float(trial < passed)) for trial in range(3))
        aggregator.add(Score("qa", sample, "target", t, "correct", "string-check", "scored", x) for t, x in scores)
    terminal.show(summary_table(aggregator.summaries()))
    printed = capsys.readouterr().out
    assert f"```text\n{printed}```" in DOCUMENT, printed


def test_the_planned_example_is_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    [(command, told)] = re.findall(r"\$ assay (plan .*)\n((?:.+\n)+)```", DOCUMENT)
    assert answer(command.split()) == 0
    assert capsys.readouterr().out == told


def test_twenty_of_twenty_is_no_certainty() -> None:
    low, high = clopper_pearson(20, 20)
    assert f"20 of 20 passed reads [{low:.3f}, {high:.3f}]" in DOCUMENT


@pytest.mark.parametrize("words", [Outcome, Caution, Method, Reason, Doubt, Remark, Word])
def test_every_word_is_explained(words: object) -> None:
    rows = {word for row in re.findall(r"^\|.*\|$", DOCUMENT, re.MULTILINE) for word in re.findall(r"`([a-z_]+)`", row)}
    assert set(get_args(words)) <= rows
