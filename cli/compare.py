"""`assay compare`: which of two results is better, as a table and as an exit code."""

from collections.abc import Sequence
from typing import Final, Literal

from rich.table import Column, Table
from rich.text import Text

from cli import terminal
from cli.client import Client, JsonDict
from cli.tables import cell
from core.stats.words import DOUBTS, REMARKS

Require = Literal["better", "equivalent", "non-inferior"]

PASSED: Final = 0
FAILED: Final = 1
INCONCLUSIVE: Final = 3
"""What the command ends with: the gate holds, it does not, or nobody can tell yet."""


def compare(asked: JsonDict, *, require: Require | None, as_json: bool) -> int:
    """Print the comparison that is asked for; return what the gate says of it, and say why on the errors' output."""
    found = Client().compare(**{name: value for name, value in asked.items() if value is not None})
    if as_json:
        terminal.say_json(found, indent=2)
    else:
        terminal.show(comparison_table(found["scores"]))
        for line in _legend(found["scores"]):
            terminal.note(line)
    code, why = gate(found["scores"], require)
    terminal.note(why)
    return code


def gate(scores: Sequence[JsonDict], require: Require | None) -> tuple[int, str]:
    """Return an exit code and why: all scores that decide must meet what is required, or at least not be worse."""
    deciding = [score for score in scores if score["primary"]]
    if require is None:
        worse = [score for score in deciding if score["verdict"] == "worse"]
        return (FAILED, f"failed: {_named(worse)} worse") if worse else (PASSED, "passed: nothing is surely worse")
    short = [score for score in deciding if not _meets(score, require)]
    if not short:
        return PASSED, f"passed: {_named(deciding)} {require}"
    decided = [score for score in short if score["verdict"] != "inconclusive"]
    if decided:
        return FAILED, f"failed: {_named(decided)} {decided[0]['verdict']}, not {require}"
    return INCONCLUSIVE, f"inconclusive: nobody can tell yet whether {_named(short)} {require}"


def comparison_table(scores: Sequence[JsonDict]) -> Table:
    """Return a row a score: both means, the difference with its interval, and the verdict. It fits 80 characters."""
    told = [Column(name, no_wrap=True) for name in ("baseline → candidate", "difference", "verdict")]
    table = Table(Column("score", overflow="fold"), *told)
    for score in scores:
        names = Text(" / ").join(cell(score[name]) for name in ("task", "metric", "name"))
        means = f"{_number(score['mean_baseline'])} → {_number(score['mean_candidate'])}"
        moved = f"{score['improved']} better, {score['regressed']} worse"
        interval = f"[{_number(score['ci_low'], '+')}, {_number(score['ci_high'], '+')}]"
        verdict = [score["verdict"] or "exploratory", *score["reasons"], *score["cautions"]]
        table.add_row(
            names,
            _lines([means, f"{score['n']} pairs", moved]),
            _lines([_number(score["difference"], "+"), interval, f"p = {_number(score['p_adjusted'])}"]),
            _lines(verdict),
        )
    return table


def _legend(scores: Sequence[JsonDict]) -> list[str]:
    words = {word for score in scores for word in (*score["reasons"], *score["cautions"])}
    return [f"{word}: {said}" for word, said in (*DOUBTS.items(), *REMARKS.items()) if word in words]


def _meets(score: JsonDict, require: Require) -> bool:
    if require == "non-inferior":
        return bool(score["non_inferior"])
    return bool(score["verdict"] == require)


def _named(scores: Sequence[JsonDict]) -> str:
    names = ", ".join(f"{score['metric']} / {score['name']}" for score in scores)
    return f"{names} {'is' if len(scores) == 1 else 'are'}"


def _number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.3f}"


def _lines(values: Sequence[object]) -> Text:
    return Text("\n").join(map(cell, values))
