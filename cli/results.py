"""`assay results` and `assay sql`: what came out of jobs."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cli.client import Client, job_path
from cli.output import Format, array_of, is_for_people, put, put_lines
from cli.tables import plain_view, sample_view
from cli.terminal import note, pour

WHERE: Final = re.compile(r"([\w./ -]+?)\s*(>=|<=|!=|=|>|<|~)\s*(.*)", re.DOTALL)
SIGNS: Final = {"=": "", "!=": "[neq]", ">": "[gt]", ">=": "[gte]", "<": "[lt]", "<=": "[lte]"}
TABLE_ROWS: Final = 20
PAGE_ROWS: Final = 1000


class BadCondition(Exception):
    """A condition is not written as one."""


def results(job: str, asked: dict[str, list[str]], *, sort: str, limit: int | None, form: Format | None) -> int:
    """Print the samples of a job that are asked for; return the exit code."""
    client = Client()
    query: dict[str, Any] = {**asked, "sort": sort}
    if is_for_people(form) or form == "md":
        page = client.get(job_path(job, "samples"), **query, limit=limit or TABLE_ROWS)
        put(sample_view(page["data"], page["scores"]), form)
        _say_rest(page, cut=limit is None)
    elif form is None:
        _put_lines(client, job, query, limit)
    else:
        query |= {"format": "jsonl" if form == "json" else form} | ({"limit": limit} if limit else {})
        with client.stream(job_path(job, "samples"), query) as parts:
            pour(array_of(parts) if form == "json" else parts)
    return 0


def _put_lines(client: Client, job: str, query: dict[str, Any], limit: int | None) -> None:
    """Print a line for each sample, a page of them at a time."""
    cursor: dict[str, str] = {}
    left = limit
    while True:
        size = PAGE_ROWS if left is None else min(left, PAGE_ROWS)
        page = client.get(job_path(job, "samples"), **query, **cursor, limit=size)
        view = sample_view(page["data"], page["scores"])
        put_lines(*(() if cursor else (view.columns,)), *view.rows)
        left = None if left is None else left - len(page["data"])
        if page["next_cursor"] is None or left == 0:
            _say_rest(page, cut=False)
            return
        cursor = {"cursor": page["next_cursor"]}


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


def sql(folder: Path, statement: str, form: Format | None, store: str | None = None) -> int:
    """Print the answer to a query over the results; return the exit code. Raises InvalidInput."""
    from store.objects.place import place_of
    from store.results.views import query as ask

    put(plain_view(*ask(folder, statement, objects=place_of(store, folder.parent))), form)
    return 0


def _say_rest(page: dict[str, Any], *, cut: bool) -> None:
    coverage = page["coverage"]
    if cut and page["next_cursor"]:
        note("There are more: raise --limit, or take all with --format csv, json or parquet")
    if coverage["judged"] < coverage["samples"]:
        note("So far {generated} of {samples} samples are generated, {judged} judged".format(**coverage))
