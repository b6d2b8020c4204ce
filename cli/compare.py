"""`assay compare`: which of two results is better, as a table and as an exit code."""

from collections.abc import Sequence

from rich.table import Column, Table
from rich.text import Text

from cli import terminal
from cli.client import Client, JsonDict
from cli.gates import Demand, check_comparison
from cli.tables import cell
from core.stats.words import DOUBTS, REMARKS


def compare(asked: JsonDict, *, demand: Demand, as_json: bool) -> int:
    """Print the comparison that is asked for; return what the gate says of it, and say why on the errors' output."""
    found = Client().compare(**{name: value for name, value in asked.items() if value is not None})
    if as_json:
        terminal.say_json(found, indent=2)
    else:
        terminal.show(comparison_table(found["scores"]))
        for line in _legend(found["scores"]):
            terminal.note(line)
    code, why = check_comparison(found["scores"], demand)
    terminal.note(why)
    return code


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


def _number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.3f}"


def _lines(values: Sequence[object]) -> Text:
    return Text("\n").join(map(cell, values))
