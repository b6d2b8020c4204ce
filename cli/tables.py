"""What people and programs see of jobs, summaries, samples and queries: tables that fit 80 columns, and rows."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.table import Column, Table
from rich.text import Text

from cli.client import JsonDict
from cli.output import View
from core import shown
from core.result import Summary
from core.text import one_line

MAX_CELL = 60
SHORT_ID: Final = 12
"""Characters of an id by which people tell jobs apart; more where that is not enough."""

MOST_COLUMNS: Final = 8
"""A row of more is shown from top to bottom."""

MOST_SCORES: Final = 2
"""Scores of samples that have a column each."""

WIDEST: Final = 40
"""Up to so many characters the column that scores share is not made narrower for the sake of the output."""


def job_view(jobs: Sequence[JsonDict]) -> View:
    """Return one row a job; in the table ids are as short as they can be, and names that are ids left out."""
    columns = ("id", "status", "name", "project", "model", "created")
    rows = [[*(job[name] for name in columns[:-1]), job["created_at"]] for job in jobs]
    length = _telling([job["id"] for job in jobs])
    table = Table(
        *(Column(name, no_wrap=True) for name in columns[:2]),
        *(Column(name, overflow="fold") for name in columns[2:-1]),
        Column("created (UTC)", no_wrap=True),
    )
    for job in jobs:
        name = None if job["name"] == job["id"] else job["name"]
        created = job["created_at"][5:16].replace("T", " ")
        table.add_row(*map(cell, (job["id"][:length], job["status"], name, job["project"], job["model"], created)))
    return View(columns, rows, table)


def _telling(ids: Sequence[str]) -> int:
    """Return by how many of their first characters ids can be told apart."""
    lengths = range(SHORT_ID, max(map(len, ids), default=SHORT_ID) + 1)
    return next((length for length in lengths if len({each[:length] for each in ids}) == len(set(ids))), SHORT_ID)


def summary_view(summaries: Sequence[Summary]) -> View:
    """Return a row a score: how sure its mean is, and why samples have none."""
    columns = ("task", "target", "metric", "name", "mean", "ci_low", "ci_high", "count", "nan_count", "outcomes")
    return View(
        (*columns, "cautions", "repeats"),
        [
            [*(getattr(each, name) for name in columns), ", ".join(each.cautions or ()), each.repeats]
            for each in summaries
        ],
        summary_table(summaries),
    )


def summary_table(summaries: Sequence[Summary]) -> Table:
    """Return a row a score: how sure its mean is, and why samples have none. It is whole on 80 characters.

    Targets are named if there are several.
    """
    told = [Column(name, no_wrap=True) for name in ("mean [95 % interval]", "scored", "cautions")]
    table = Table(Column("score", overflow="fold"), *told)
    has_targets = len({each.target for each in summaries}) > 1
    for each in summaries:
        names = (each.task, *([each.target] if has_targets else []), each.metric, each.name)
        excluded = _lines(shown.excluded(each))
        excluded.stylize("bold" if shown.many_are_excluded(each) else "")
        scored = Text("\n").join([cell(shown.scored(each)), *([excluded] if excluded else [])])
        figures = _lines([shown.mean(each), *shown.repeated(each)])
        table.add_row(Text(" / ").join(map(cell, names)), figures, scored, _lines(each.cautions or ()))
    return table


def sample_view(samples: Sequence[JsonDict], scores: Sequence[str]) -> View:
    """Return one row a sample, with the values of scores, or why there are none."""
    columns = ("task", "sample", "target", "trial", "outcome", "output", "error")
    rows = [[*(sample[name] for name in columns), *_shown_scores(sample, scores)] for sample in samples]
    return View((*columns, *scores), rows, _sample_table(samples, scores))


def _sample_table(samples: Sequence[JsonDict], scores: Sequence[str]) -> Table:
    """Return the table of samples: a task, target or trial that all have is left out; many scores share a column."""
    told = [name for name in ("task", "target", "trial") if len({sample[name] for sample in samples}) > 1]
    figures = [[cell(value) for value in _shown_scores(sample, scores)] for sample in samples]
    headings = [Column(cell(name), overflow="fold") for name in scores]
    if len(scores) > MOST_SCORES:
        figures = [[_named(scores, values)] for values in figures]
        width = max((line.cell_len for [text] in figures for line in text.split()), default=0)
        headings = [Column("scores", overflow="fold", no_wrap=width <= WIDEST)]
    table = Table("sample", *told, Column("output", overflow="fold"), *headings)
    for sample, values in zip(samples, figures, strict=True):
        output = sample["output"] if sample["output"] is not None else sample["error"] or sample["outcome"]
        table.add_row(cell(sample["sample"]), *(cell(sample[name]) for name in told), cell(output), *values)
    return table


def _named(names: Sequence[str], values: Sequence[Text]) -> Text:
    return Text("\n").join(Text(" ").join([cell(name), value]) for name, value in zip(names, values, strict=True))


def _shown_scores(sample: JsonDict, names: Sequence[str]) -> list[object]:
    """Return for each score its value or label, or why there is none."""
    found = {f"{score['metric']}/{score['name']}": score for score in sample["scores"]}
    return [shown_score(found[name]) if name in found else None for name in names]


def shown_score(score: JsonDict) -> object:
    """Return a score's value or label, or why there is none."""
    return next((score[part] for part in ("value", "label") if score[part] is not None), score["outcome"])


def plain_view(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> View:
    """Return the answer to a query; what has many columns is shown from top to bottom."""
    if len(columns) > MOST_COLUMNS:
        return View(columns, rows, _upright(columns, rows))
    table = Table(*(Column(cell(name), overflow="fold") for name in columns))
    for row in rows:
        table.add_row(*map(cell, row))
    return View(columns, rows, table)


def _upright(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    table = Table("column", Column("value", overflow="fold"))
    for row in rows:
        for name, value in zip(columns, row, strict=True):
            table.add_row(cell(name), cell(value))
        table.add_section()
    return table


def _lines(values: Iterable[object]) -> Text:
    return Text("\n").join(map(cell, values))


def cell(value: object) -> Text:
    """Return a value on one line, cut if it is long, in which nothing is markup."""
    text = "" if value is None else one_line(str(value))
    return Text(text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…")
