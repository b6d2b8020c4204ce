"""No text of a stranger's does anything on the terminal of who reads it."""

import ast
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import cli
from cli import terminal
from cli.fsck import check
from cli.main import answer
from cli.output import put
from cli.summaries import read_summaries
from cli.tables import plain_view, sample_view, summary_table, summary_view
from core.result import Summary
from store.results.folder import JobFolder
from tests.cli.test_commands import BODY

HOSTILE = "\x1b]0;owned\x07[red]x\x9b2J\r\u202ebad"
SPEAKING = {"print", "Console"}
ROOM = Path(cli.__file__).parent


def harmless(printed: str) -> bool:
    """Tell whether nothing in what was printed does more than show."""
    return all(character.isprintable() or character == "\n" for character in printed) and "[red]" in printed


def test_every_cell_and_heading_of_a_table_is_plain(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    score = {"metric": HOSTILE, "name": HOSTILE, "value": None, "label": HOSTILE, "outcome": "scored"}
    sample = {"task": HOSTILE, "sample": 1, "target": HOSTILE, "trial": 1, "output": HOSTILE, "scores": [score]}
    sample |= {"outcome": "scored", "error": HOSTILE}
    told = dict.fromkeys(("task", "target", "metric", "name"), HOSTILE) | {"mean": 1.0, "count": 1, "nan_count": 1}
    for view in (
        sample_view([sample], [f"{HOSTILE}/{HOSTILE}"]),
        sample_view([sample], [HOSTILE, f"{HOSTILE}/{HOSTILE}", "m/n"]),
        summary_view(read_summaries([told | {"outcomes": {HOSTILE: 1}}])),
        plain_view([HOSTILE], [[HOSTILE]]),
        plain_view([HOSTILE, *"abcdefghi"], [[HOSTILE] * 10]),
    ):
        put(view, "table")
        assert harmless(capsys.readouterr().out)
        put(view)
        lines = capsys.readouterr().out
        assert lines.count("\n") == 2
        assert harmless(lines.replace("\t", ""))


def test_no_figure_is_cut_off_on_a_terminal_of_eighty_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    outcomes = {"scored": 3, "output_unparsable": 100_000, "judge_unparsable": 7}
    told = {"task": "a" * 40, "target": "t", "metric": "m", "name": "s", "mean": -0.5, "count": 3, "nan_count": 100_007}
    interval = {"ci_low": -0.75, "ci_high": 0.25, "cautions": ["few_samples", "excluded_samples"]}
    terminal.show(summary_table(read_summaries([told | interval | {"outcomes": outcomes}])))
    printed = capsys.readouterr().out
    for whole in ("-0.500 [-0.750, 0.250]", "3 of 100010", "100000 output_unparsable", "excluded_samples"):
        assert whole in printed
    assert "…" not in printed


def test_what_trials_tell_stands_below_the_mean_and_each_trial_on_a_line_of_its_own(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    told = {"task": "qa", "target": "t", "metric": "m", "name": "s", "mean": 0.5, "count": 23, "nan_count": 1}
    repeats = {"k": 3, "pass_at_k": 0.875, "pass_hat_k": 0.25, "flip_rate": None, "rerun_stderr": 0.0721}
    trials = {"samples": 8, "trials": 3, "repeats": {**repeats, "enough_trials": True}, "outcomes": {"judge_error": 1}}
    interval = {"ci_low": 0.25, "ci_high": 0.75, "cautions": ["few_samples"]}
    terminal.show(summary_table(read_summaries([told | interval | trials])))
    printed = capsys.readouterr().out
    for whole in ("0.500 [0.250, 0.750]", "8 samples", "pass@3 0.875", "pass^3 0.250", "rerun ±0.072", "enough trials"):
        assert whole in printed
    assert "23 of 24 trials" in printed
    assert "flip rate" not in printed
    sample = {"task": "qa", "sample": 7, "target": "t", "output": "said", "scores": [], "outcome": "x", "error": None}
    for numbers, columns in (([0], 2), ([0, 1], 3)):
        assert len(sample_view([sample | {"trial": trial} for trial in numbers], []).table.columns) == columns


def test_what_is_said_and_noted_is_plain(capsys):
    for speak in (terminal.say, terminal.note):
        speak(HOSTILE)
        said = capsys.readouterr()
        assert harmless(said.out + said.err)


def test_a_service_s_reasons_and_names_are_plain(at, capsys):
    job = at.http.post("/api/assay/v1/jobs", json=BODY | {"name": HOSTILE}).json()["id"]
    JobFolder(at.state.results, job).write_summaries(
        [Summary(HOSTILE, HOSTILE, "m", "n", 1, 0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, None, {"scored": 1})]
    )
    for command in (["jobs", "list"], ["jobs", "show", job], ["results", job, "--where", f"{HOSTILE}=1"]):
        answer(command)
        said = capsys.readouterr()
        assert all(character.isprintable() or character in "\n\t" for character in said.out + said.err)
    assert check(at.state.results, job, as_json=False) in (0, 4)
    said = capsys.readouterr().out
    assert all(character.isprintable() or character == "\n" for character in said)


def test_json_is_read_back_as_it_was(capsys):
    terminal.say_json({"a": HOSTILE + "\x7f\u2028"})
    said = capsys.readouterr().out
    assert all(character.isprintable() or character == "\n" for character in said)
    assert json.loads(said) == {"a": HOSTILE + "\x7f\u2028"}


@pytest.mark.parametrize("on_terminal", [True, False])
def test_a_file_is_poured_as_it_is_but_on_a_terminal(on_terminal):
    ours, theirs = pty.openpty() if on_terminal else os.pipe()
    program = f"from cli.terminal import pour; pour([{HOSTILE.encode()!r}])"
    subprocess.run([sys.executable, "-c", program], stdout=theirs, check=True, cwd=ROOM.parent)
    os.close(theirs)
    written = b""
    try:
        while part := os.read(ours, 1_000):
            written += part
    except OSError:
        assert on_terminal  # how a terminal says that the other side is closed
    os.close(ours)
    assert (written == HOSTILE.encode()) is not on_terminal
    assert (b"\x1b" in written) is not on_terminal


@pytest.mark.parametrize("file", sorted(ROOM.glob("*.py")), ids=lambda file: file.name)
def test_there_is_one_way_to_the_outputs(file: Path):
    names = {node.id for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)}
    assert file.name == "terminal.py" or names.isdisjoint(SPEAKING)
