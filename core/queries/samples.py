"""What is asked of a job's samples: which of them, and in which order.

A query string or a command line is read into these values, and the store turns them into SQL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal, get_args

from core.queries.lists import Field
from core.result import Outcome

Kind = Literal["text", "number", "flag"]
Value = str | int | float | bool
Comparison = Literal["eq", "neq", "gt", "gte", "lt", "lte"]

OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
COMPARISONS: Final[tuple[Comparison, ...]] = get_args(Comparison)
OF_OUTPUTS: Final[Mapping[str, Kind]] = {
    "task": "text",
    "target": "text",
    "sample": "number",
    "trial": "number",
    "truncated": "flag",
    "empty": "flag",
    "finish_reason": "text",
}
OF_SCORES: Final[Mapping[str, Kind]] = {
    "metric": "text",
    "score": "text",
    "outcome": "text",
    "label": "text",
    "passed": "flag",
    "value": "number",
}
"""What holds for a row if one and the same score of it meets all that is asked of these."""

SEARCHED: Final = ("output", "item", "feedback", "error")
KEYED: Final = ("score", "item")
"""What has parts of the user's naming: `score.<name>` is a score's value, `item.<column>` a column of the row."""

FLAGS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The field is one of the values."""

    field: Field
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """The field stands in a relation to the value."""

    field: Field
    by: Comparison
    value: Value


@dataclass(frozen=True, slots=True)
class Holds:
    """The field holds one of the texts as a part, in upper or lower case."""

    field: Field
    texts: tuple[str, ...]


Condition = AnyOf | Compared | Holds


@dataclass(frozen=True, slots=True)
class Selection:
    """The samples that every condition holds for, sorted by `sample` or by a score, ties by their place in the job.

    `backwards` is the same list from its end.
    """

    conditions: tuple[Condition, ...] = ()
    sort: Field = ("sample",)
    descending: bool = False
    backwards: bool = False


def condition(name: str, by: str, texts: Sequence[str]) -> Condition:
    """Return what a filter means: a field, a comparison, and one value, or several to be equal to.

    Raises ValueError, which says what to write instead.
    """
    field = _field(name)
    comparison = next((each for each in COMPARISONS if each == by), None)
    if comparison is None:
        raise ValueError(f"{name!r} cannot be compared by {by!r}; use one of: {', '.join(COMPARISONS)}")
    values = tuple(_value(field, text) for text in texts)
    if comparison == "eq":
        return AnyOf(field, values)
    if len(values) > 1:
        raise ValueError(f"{by!r} takes one value; repeat a filter only to be equal to one of several")
    if comparison != "neq" and _kind(field) == "flag":
        raise ValueError(f"{name!r} is true or false, and cannot be compared by {by!r}")
    return Compared(field, comparison, values[0])


def search(name: str, texts: Sequence[str]) -> Holds:
    """Return what a search means. Raises ValueError, which says what to write instead."""
    if name not in SEARCHED:
        raise ValueError(f"cannot search by {name!r}; search by one of: {', '.join(SEARCHED)}")
    if not all(texts):
        raise ValueError("the text is empty; leave the search out, or give it a text")
    return Holds((name,), tuple(texts))


def order(text: str) -> tuple[Field, bool]:
    """Return what to sort by, and whether the other way round. Raises ValueError for what it cannot be."""
    name = text.removeprefix("-")
    head, _, part = name.partition(".")
    if name == "sample" or (head == "score" and part):
        return ((head, part) if part else (head,)), text.startswith("-")
    raise ValueError("sort by sample or by score.NAME, or the other way round by -sample or -score.NAME")


def _field(name: str) -> Field:
    head, _, part = name.partition(".")
    if part and head in KEYED:
        if not all(part.split(".")):
            raise ValueError("the name of a column or score has no empty part between dots")
        if '"' in part or "\\" in part:
            raise ValueError("quotes and backslashes cannot stand in the name of a column or score")
        return head, part
    if name in OF_OUTPUTS or name in OF_SCORES:
        return (name,)
    known = ", ".join([*OF_OUTPUTS, *OF_SCORES, "score.NAME", "item.COLUMN"])
    raise ValueError(f"cannot filter by {name!r}; filter by one of: {known}")


def _kind(field: Field) -> Kind:
    match field:
        case ["score", _]:
            return "number"
        case ["item", _]:
            return "text"
    return OF_OUTPUTS.get(field[0]) or OF_SCORES[field[0]]


def _value(field: Field, text: str) -> Value:
    match _kind(field):
        case "text" if field == ("outcome",) and text not in OUTCOMES:
            raise ValueError(f"there is no outcome {text!r}; there are: {', '.join(OUTCOMES)}")
        case "text":
            return text
        case "flag":
            if text.lower() not in FLAGS:
                raise ValueError(f"{text!r} is neither true nor false")
            return FLAGS[text.lower()]
        case "number":
            try:
                number = float(text)
            except ValueError:
                raise ValueError(f"{text!r} is no number") from None
            if not isfinite(number):
                raise ValueError(f"{text!r} is no finite number")
            return number
