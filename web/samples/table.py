"""The table of a job's samples: what of each is shown, in which columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from core.result import Outcome
from store.results.sample_sql import ScoreName
from web.links import sample_url
from web.samples.query import Query, score_field, url

OUTPUT: Final = "output"
MORE: Final = ("reasoning", "finish_reason", "tool_calls", "error")
LONGEST_CELL: Final = 400
FIRST_COLUMNS: Final = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell: a text, or a score's `value` with its outcome where it has none; `kind` is its class."""

    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A sample with one target in one trial."""

    number: int
    url: str
    task: str
    target: str
    trial: int
    flags: list[str]
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Column:
    """A column that can be shown: `name` is how a URL has it."""

    name: str
    title: str
    is_shown: bool
    sort_url: str | None
    order: str


def columns(
    path: str, items: Query, names: Sequence[str], scores: Sequence[ScoreName], chosen: Sequence[str]
) -> list[Column]:
    """Return the columns that there are; without any chosen the first of the rows, the output and all scores."""
    of_items = [f"item.{name}" for name in names]
    of_scores = [score_field(each, scores) for each in scores]
    shown = set(chosen) if chosen else {*of_items[:FIRST_COLUMNS], OUTPUT, *of_scores}
    order = dict(items).get("sort", "sample")
    kept = [(key, value) for key, value in items if key != "sort"]

    def column(name: str, title: str, *, sorts: bool) -> Column:
        up = "" if order == name else name
        sort_url = url(path, kept, [("sort", up or f"-{name}"), *(("column", each) for each in chosen)])
        direction = {name: "ascending", f"-{name}": "descending"}.get(order, "none")
        return Column(name, title, name in shown, sort_url if sorts else None, direction)

    return [
        *(column(name, name.removeprefix("item."), sorts=False) for name in of_items),
        column(OUTPUT, OUTPUT, sorts=False),
        *(column(name, "/".join(score), sorts=True) for name, score in zip(of_scores, scores, strict=True)),
        *(column(name, name.replace("_", " "), sorts=False) for name in MORE),
    ]


def row(job_id: str, record: dict[str, Any], shown: Sequence[Column], items: Query) -> Row:
    """Return a sample, as it was read, as a row of the columns that are shown."""
    task, sample = record["task"], record["sample"]
    outcome: Outcome = record["outcome"]
    flags = [name for name, is_so in (("cut off", record["truncated"]), ("empty", record["empty"])) if is_so]
    return Row(
        number=sample,
        url=url(sample_url(job_id, task, sample), items),
        task=task,
        target=record["target"],
        trial=record["trial"],
        flags=flags if outcome == "scored" else [outcome, *flags],
        cells=[_cell(column, record) for column in shown],
    )


def several(rows: Iterable[Row]) -> tuple[bool, bool, bool]:
    """Tell whether rows are of several tasks, targets and trials."""
    rows = list(rows)
    return (
        len({each.task for each in rows}) > 1,
        len({each.target for each in rows}) > 1,
        any(each.trial for each in rows),
    )


def _cell(column: Column, record: dict[str, Any]) -> Cell:
    head, _, part = column.name.partition(".")
    match head:
        case "item":
            return Cell(_text(record["item"].get(part)))
        case "score":
            return _score(column.title, record["scores"])
        case "error":
            return Cell(
                _text(record["error"] or next((each["error"] for each in record["scores"] if each["error"]), None))
            )
    return Cell(_text(record[head], is_prose=head == OUTPUT))


def _score(title: str, scores: Sequence[dict[str, Any]]) -> Cell:
    found = next((each for each in scores if f"{each['metric']}/{each['name']}" == title), None)
    if found is None:
        return Cell("not judged", "quiet")
    if found["value"] is None:
        return Cell(found["outcome"], "warn")
    passed = {True: "good", False: "bad", None: ""}[found["passed"]]
    label = f" {found['label']}" if found["label"] else ""
    return Cell(f"{found['value']:g}{label}{' ✓' if passed == 'good' else ' ✗' if passed == 'bad' else ''}", passed)


def _text(value: Any, *, is_prose: bool = False) -> str:
    """Return the beginning of a value; of prose in one go, since a cell has room for few lines."""
    if value is None:
        return ""
    whole = value if isinstance(value, str) else orjson.dumps(value).decode()
    whole = " ".join(whole.split()) if is_prose else whole
    return whole if len(whole) <= LONGEST_CELL else f"{whole[:LONGEST_CELL]}…"
