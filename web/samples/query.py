"""What is asked of a job's samples by the URL of a page: the native API's own grammar, and what is shown of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple
from urllib.parse import quote, urlencode

from api.lists.grammar import is_asked
from store.results.sample_sql import ScoreName

Query = Sequence[tuple[str, str]]

View = Literal["text", "rendered"]

VIEWS: Final[dict[View, Query]] = {"text": (), "rendered": (("view", "rendered"),)}
"""How the outputs of a sample are shown, each with its query."""


class Link(NamedTuple):
    """A link, and whether it is the view that is shown."""

    text: str
    url: str
    is_current: bool = False


def asked(items: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what is asked for of a query: its filters, searches and order."""
    return [(key, value) for key, value in items if key == "sort" or is_asked(key)]


def job_url(job_id: str, *rest: str) -> str:
    """Return the path of a job's page, or of one below it."""
    return "/".join(["/jobs", *(quote(each, safe="/") for each in (job_id, *rest))])


def url(path: str, query: Iterable[tuple[str, str]], more: Iterable[tuple[str, str]] = ()) -> str:
    """Return a path with a query."""
    pairs = [*query, *more]
    return f"{path}?{urlencode(pairs, safe='[],:')}" if pairs else path


def score_field(score: ScoreName, known: Sequence[ScoreName]) -> str:
    """Return how a score is named in a query: by itself where no other has its name."""
    metric, name = score
    return f"score.{name}" if sum(each[1] == name for each in known) == 1 else f"score.{metric}/{name}"


def presets(path: str, items: Query, scores: Sequence[ScoreName], columns: Query) -> list[Link]:
    """Return the questions that are asked most, each as a link; what is shown of the samples stays."""
    views: dict[str, dict[str, str]] = {
        "all": {},
        "failed": {"filter[passed]": "false"},
        "passed": {"filter[passed]": "true"},
        "excluded": {"filter[outcome][neq]": "scored"},
        "cut off": {"filter[truncated]": "true"},
        "judge unparsable": {"filter[outcome]": "judge_unparsable"},
        **{f"lowest {'/'.join(each)}": {"sort": score_field(each, scores)} for each in scores},
    }
    now = dict(asked(items))
    return [Link(name, url(path, view.items(), columns), now == view) for name, view in views.items()]


def ways(path: str, kept: Query, view: View) -> list[Link]:
    """Return the ways to look at the outputs of a sample, each as a link."""
    return [Link(name, url(path, kept, query), name == view) for name, query in VIEWS.items()]


def conditions(path: str, items: Query) -> list[Link]:
    """Return what narrows the list, each as a link that takes it away."""
    return [
        Link(_words(key, value), url(path, [*items[:at], *items[at + 1 :]]))
        for at, (key, value) in enumerate(items)
        if key.startswith(("filter", "search"))
    ]


def put_together(field: str = "", by: str = "eq", value: str = "") -> Query:
    """Return the filter that a form has put together from a field, a comparison and a value, if all are there."""
    return [(f"filter[{field}]" if by == "eq" else f"filter[{field}][{by}]", value)] if field and value else []


SIGNS: Final[Mapping[str, str]] = {
    "eq": "is",
    "neq": "is not",
    "gt": ">",
    "gte": "≥",
    "lt": "<",
    "lte": "≤",
}


def _words(key: str, value: str) -> str:
    kind, *brackets = key.replace("]", "").split("[")
    if kind == "search":
        return f"{brackets[0] if brackets else ''} has “{value}”"
    by = SIGNS.get(brackets[1], brackets[1]) if len(brackets) > 1 else SIGNS["eq"]
    return f"{brackets[0] if brackets else ''} {by} {value}"
