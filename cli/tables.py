"""Tables for people: jobs, summaries and samples."""

from collections.abc import Iterable, Sequence

from rich.table import Column, Table
from rich.text import Text

from cli.client import JsonDict
from core import shown
from core.result import Summary
from core.text import one_line

MAX_CELL = 60


def job_table(jobs: Iterable[JsonDict]) -> Table:
    """Return one line a job."""
    table = Table(
        *(Column(name, no_wrap=True) for name in ("id", "status")),
        "name",
        "project",
        "model",
        Column("created", no_wrap=True),
    )
    for job in jobs:
        name = None if job["name"] == job["id"] else job["name"]
        created = job["created_at"][:16].replace("T", " ")
        table.add_row(*map(cell, (job["id"], job["status"], name, job["project"], job["model"], created)))
    return table


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


def sample_table(samples: Sequence[JsonDict]) -> Table:
    """Return one line a sample, or a trial of one where there are several, with the scores that are in any of them."""
    names = sorted({f"{score['metric']}/{score['name']}" for sample in samples for score in sample["scores"]})
    trials = ["trial"] if any(sample["trial"] for sample in samples) else []
    table = Table("task", "sample", "target", *trials, "output", *map(_heading, names))
    for sample in samples:
        scores = {f"{score['metric']}/{score['name']}": score for score in sample["scores"]}
        output = sample["output"] if sample["output"] is not None else sample["error"] or sample["outcome"]
        shown = (shown_score(scores.get(name)) for name in names)
        place = [sample[name] for name in ("task", "sample", "target", *trials)]
        table.add_row(*map(cell, (*place, output, *shown)))
    return table


def shown_score(score: JsonDict | None) -> object:
    """Return a score's value or label, or why there is none."""
    if score is None:
        return None
    return next((score[part] for part in ("value", "label") if score[part] is not None), score["outcome"])


def plain_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return the answer to a query."""
    table = Table(*map(_heading, columns))
    for row in rows:
        table.add_row(*map(cell, row))
    return table


def _lines(values: Iterable[object]) -> Text:
    return Text("\n").join(map(cell, values))


def _heading(name: str) -> Column:
    return Column(cell(name))


def cell(value: object) -> Text:
    """Return a value on one line, cut if it is long, in which nothing is markup."""
    text = "" if value is None else one_line(str(value))
    return Text(text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…")
