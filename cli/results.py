"""`assay results` and `assay sql`: what came out of jobs."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from cli.client import Client, job_path
from cli.tables import plain_table, sample_table
from cli.terminal import note, pour, say_json, show
from store.results.views import query as ask

Format = Literal["table", "jsonl", "csv", "parquet"]

WHERE: Final = re.compile(r"([\w./ -]+?)\s*(>=|<=|!=|=|>|<|~)\s*(.*)", re.DOTALL)
SIGNS: Final = {"=": "", "!=": "[neq]", ">": "[gt]", ">=": "[gte]", "<": "[lt]", "<=": "[lte]"}
TABLE_ROWS: Final = 20


class BadCondition(Exception):
    """A condition is not written as one."""


def results(job: str, asked: dict[str, list[str]], *, sort: str, limit: int | None, form: Format) -> int:
    """Print the samples of a job that are asked for; return the exit code."""
    client = Client()
    query: dict[str, Any] = {**asked, "sort": sort}
    if form == "table":
        page = client.get(job_path(job, "samples"), **query, limit=limit or TABLE_ROWS)
        show(sample_table(page["data"]))
        _say_rest(page, cut=limit is None)
        return 0
    query |= {"format": form} | ({"limit": limit} if limit else {})
    with client.stream(job_path(job, "samples"), query) as parts:
        pour(parts)
    return 0


def conditions(task: str | None, outcome: str | None, where: Sequence[str]) -> dict[str, list[str]]:
    """Return the query of conditions like `score.grade>=3`, `item.topic=law` and `output~Paris`.

    Raises BadCondition.
    """
    asked: dict[str, list[str]] = {}
    given = [*([f"task={task}"] if task else []), *([f"outcome={outcome}"] if outcome else []), *where]
    for text in given:
        match = WHERE.fullmatch(text)
        if match is None:
            raise BadCondition(f"{text!r} is no condition; write it as score.grade>=3, item.topic=law or output~Paris")
        name, sign, value = match.groups()
        key = f"search[{name}]" if sign == "~" else f"filter[{name}]{SIGNS[sign]}"
        asked.setdefault(key, []).append(value)
    return asked


def sql(folder: Path, statement: str, *, as_json: bool) -> int:
    """Print the answer to a query over the results; return the exit code. Raises InvalidInput."""
    columns, rows = ask(folder, statement)
    if as_json:
        for row in rows:
            say_json(dict(zip(columns, row, strict=True)))
    else:
        show(plain_table(columns, rows))
    return 0


def _say_rest(page: dict[str, Any], *, cut: bool) -> None:
    coverage = page["coverage"]
    if cut and page["next_cursor"]:
        note("There are more: raise --limit, or take all with --format csv, jsonl or parquet")
    if coverage["judged"] < coverage["samples"]:
        note("So far {generated} of {samples} samples are generated, {judged} judged".format(**coverage))
