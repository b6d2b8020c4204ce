"""`assay compare`: which of two results is better, as a table and as an exit code."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Final

from cyclopts import Parameter
from rich.table import Column, Table
from rich.text import Text

from cli import terminal
from cli.client import Client, JsonDict
from cli.gates import Demand, check_comparison
from cli.output import Format, View, is_for_people, put
from cli.tables import cell
from core.stats.words import DOUBTS, JUDGED_ALIKE, REMARKS

COLUMNS: Final = (
    *("task", "metric", "name", "verdict", "mean_baseline", "mean_candidate", "difference", "ci_low", "ci_high"),
    *("p_adjusted", "n", "improved", "regressed", "unchanged"),
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a comparison.

    Args:
        match: The column that tells samples apart, as item.id, where the datasets differ.
        margin: A difference that is of no account, in the scores' own units; 0.02 of their scale without it.
        primary: A metric that decides; may be given more than once. All decide together without it.
        alpha: How often chance may be taken for a difference, over all scores that decide; 0.05 without it.
        slice: A column, as item.topic, for each of whose values the scores are compared once more.
        baseline_trial: The trial of the baseline that is compared, from 0; the mean of all trials without it.
        candidate_trial: The same for the candidate.
    """

    match: str | None = None
    margin: float | None = None
    primary: Annotated[list[str] | None, Parameter(negative="")] = None
    alpha: float | None = None
    slice: str | None = None
    baseline_trial: int | None = None
    candidate_trial: int | None = None


def compare(baseline: str, candidate: str, question: Question, demand: Demand, form: Format | None) -> int:
    """Print the comparison that is asked for; return what the gate says of it, and say why on the errors' output."""
    asked = {name: value for name, value in asdict(question).items() if value is not None}
    found = Client().compare(baseline=baseline, candidate=candidate, **asked)
    if form == "json":
        terminal.say_json(found, indent=2)
    else:
        _show(found, form)
    code, why = check_comparison(found["scores"], demand)
    terminal.note(why)
    return code


def _show(found: JsonDict, form: Format | None) -> None:
    scores, slices = found["scores"], found["slices"]
    if is_for_people(form):
        terminal.show(comparison_table(scores))
        if slices:
            terminal.show(comparison_table(slices, "exploratory"))
        for line in (*_legend([*scores, *slices]), *_told(found)):
            terminal.note(line)
    else:
        put(comparison_view([*scores, *slices]), form)


def comparison_view(scores: Sequence[JsonDict]) -> View:
    """Return a row a score, or a slice of one, which has the value that its samples have in the column of the slice."""
    rows = [
        [
            each.get("value"),
            *(each[name] for name in COLUMNS),
            *(", ".join(each[words]) for words in ("reasons", "cautions")),
        ]
        for each in scores
    ]
    return View(("slice", *COLUMNS, "reasons", "cautions"), rows, comparison_table(scores))


def comparison_table(scores: Sequence[JsonDict], title: str = "score") -> Table:
    """Return a row a score, or a slice of one: both means, the difference with its interval, and the verdict.

    It fits 80 characters.
    """
    told = [Column(name, no_wrap=True) for name in ("baseline → candidate", "difference", "verdict")]
    table = Table(Column(title, overflow="fold"), *told)
    for score in scores:
        names = Text(" / ").join(cell(score[name]) for name in ("task", "metric", "name"))
        if "value" in score:
            names = Text("\n").join([names, cell(json.dumps(score["value"], ensure_ascii=False))])
        means = f"{_number(score['mean_baseline'])} → {_number(score['mean_candidate'])}"
        moved = (
            "all together" if score["improved"] is None else f"{score['improved']} better, {score['regressed']} worse"
        )
        interval = f"[{_number(score['ci_low'], '+')}, {_number(score['ci_high'], '+')}]"
        verdict = [score["verdict"] or "exploratory", *score["reasons"], *score["cautions"]]
        table.add_row(
            names,
            _lines([means, f"{score['n']} pairs", moved]),
            _lines([_number(score["difference"], "+"), interval, _p_value(score["p_adjusted"])]),
            _lines(verdict),
        )
    return table


def _told(found: JsonDict) -> Iterator[str]:
    """Yield which samples have no counterpart, what differs, what chance makes, and what settles another judge."""
    for task in found["tasks"]:
        if task["only_baseline"] or task["only_candidate"]:
            alone = f"{task['only_baseline']} of the baseline and {task['only_candidate']} of the candidate"
            yield f"{task['task']}: {task['pairs']} pairs by {task['matched_by']}; {alone} have no counterpart"
    change = found["change"]
    differs = dict.fromkeys(each["component"] for each in change["components"])
    yield f"What differs: {', '.join(differs) or 'nothing'}"
    if change["separating"]:
        yield change["separating"]
    if change["noise_floor"] is not None:
        by = "their trials" if change["noise_from"] == "trials" else f"job {change['noise_from']}"
        yield f"Asking the same once more makes a difference of up to {change['noise_floor']:.3f}, by {by}"
    if any("judge_changed" in score["reasons"] for score in found["scores"]):
        yield JUDGED_ALIKE.format(baseline=found["baseline"]["job"])


def _legend(scores: Sequence[JsonDict]) -> list[str]:
    words = {word for score in scores for word in (*score["reasons"], *score["cautions"])}
    return [f"{word}: {said}" for word, said in (*DOUBTS.items(), *REMARKS.items()) if word in words]


def _p_value(value: float | None) -> str:
    return "p < 0.001" if value is not None and value < 0.001 else f"p = {_number(value)}"


def _number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.3f}"


def _lines(values: Sequence[object]) -> Text:
    return Text("\n").join(map(cell, values))
