"""What is asked of samples, as SQL over the views outputs, scores and samples; every value is bound."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, assert_never

from core.errors import InvalidInput
from core.queries.samples import OF_OUTPUTS, OF_SCORES, AnyOf, Compared, Comparison, Condition, Holds, Selection, Value
from core.result import Summary

ScoreName = tuple[str, str]
"""A metric and a name of its scores."""

KEY: Final = ("task", "sample", "target", "trial")

SIGNS: Final[dict[Comparison, str]] = {
    "eq": "=",
    "neq": "IS DISTINCT FROM",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
}
COLUMNS: Final = {name: f"o.{name}" for name in OF_OUTPUTS} | {"output": "o.text", "item": "s.item"}
SCORE_COLUMNS: Final = {name: name for name in OF_SCORES} | {"score": "name"}
OUTPUTS_ALONE: Final = frozenset({"truncated", "empty", "finish_reason", "output", "error", "outcome"})
"""The fields for which the scores of a row do not tell enough."""


class Position(NamedTuple):
    """Where a row stands in a list: its value if that is sorted by a score, and its key."""

    value: float | None
    task: str
    sample: int
    target: str
    trial: int


@dataclass(frozen=True, slots=True)
class Names:
    """What a job's rows are called by: its tasks and targets in their order, and its scores."""

    tasks: Sequence[str]
    targets: Sequence[str]
    scores: Sequence[ScoreName]


class Bindings:
    """The values of a statement, by the names under which they stand in it."""

    def __init__(self) -> None:
        """Begin without any."""
        self.values: dict[str, object] = {}

    def bind(self, value: object) -> str:
        """Keep a value, and return what stands for it in the statement."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"


def positions(
    selection: Selection,
    names: Names,
    bindings: Bindings,
    *,
    limit: int,
    after: Position | None = None,
    is_beyond: bool = False,
) -> str:
    """Return the statement that finds the positions of the first rows of a selection, or of the first after one.

    Where a score sorts, those after a position are either of its value or, if they are to lie beyond, of others: the
    former are in a few shards, which the latter are not.

    Raises InvalidInput for a score that the job does not have.
    """
    value, source = _source(selection, names, bindings)
    if any(each.field[0] == "item" for each in selection.conditions):
        source += " JOIN samples s USING (task, sample)"
    conditions = _conditions(selection.conditions, names, bindings)
    if after and is_beyond:
        conditions.append(_is_beyond(selection, bindings, value, after.value))
    elif after:
        conditions.append(_follows(selection, names, bindings, value, after))
    return f"""
        SELECT {value} AS value, {", ".join(f"o.{name}" for name in KEY)} FROM {source}
        WHERE {" AND ".join(f"({each})" for each in conditions) or "true"}
        ORDER BY {_order(selection, names, bindings, value)} LIMIT {bindings.bind(limit)}"""


def before_best(selection: Selection, names: Names, summaries: Sequence[Summary]) -> Position | None:
    """Return where a list by a score begins whose first rows have the best value there is; None if that is not known.

    The summaries, which a job has once it is complete, tell of all its values. As those of a check or of grades are
    few, many rows may have the best, and those are in the order of their places.
    """
    if selection.backwards:
        return None
    score = find_score(selection.sort[1], names.scores)
    own = [each for each in summaries if (each.metric, each.name) == score and each.count]
    ends = [each.max if selection.descending else each.min for each in own]
    known = [end for end in ends if end is not None]
    if not known or len(known) < len(ends):  # as where all weigh nothing
        return None
    return Position(max(known) if selection.descending else min(known), names.tasks[0], -1, names.targets[0], 0)


def check_names(asked: Condition, names: Names) -> None:
    """Raise InvalidInput for the name of a task, target, metric or score that the job does not have by now."""
    known = {
        "task": names.tasks,
        "target": names.targets,
        "metric": list(dict.fromkeys(metric for metric, _ in names.scores)),
        "score": list(dict.fromkeys(name for _, name in names.scores)),
    }.get(asked.field[0] if len(asked.field) == 1 else "")
    match asked:
        case AnyOf(values=values):
            pass
        case Compared(value=value):
            values = (value,)
        case Holds():
            return
    unknown = [value for value in values if known and value not in known]
    if unknown and known:
        raise InvalidInput(f"there is no {asked.field[0]} {unknown[0]!r}; there are: {', '.join(known)}")


def find_score(name: str, known: Sequence[ScoreName]) -> ScoreName | None:
    """Return the score that is called `name` or `metric/name`; None as long as there are no scores.

    Raises InvalidInput if there is none, or more than one.
    """
    found = [each for each in known if name in (each[1], "/".join(each))]
    if len(found) > 1 or (known and not found):
        problem = f"several metrics have a score {name!r}" if found else f"there is no score {name!r}"
        raise InvalidInput(f"{problem}; name one of: {', '.join('/'.join(each) for each in known)}")
    return found[0] if found else None


def _source(selection: Selection, names: Names, bindings: Bindings) -> tuple[str, str]:
    """Return the value that rows are sorted by, and where the rows are that have it."""
    if selection.sort == ("sample",):
        return "NULL::DOUBLE", "outputs o"
    score = find_score(selection.sort[1], names.scores)
    named = f"metric = {bindings.bind(score[0])} AND name = {bindings.bind(score[1])}" if score else "false"
    scores = f"(SELECT {', '.join(KEY)}, value FROM scores WHERE {named})"
    if any(each.field[0] in OUTPUTS_ALONE for each in selection.conditions):
        return "v.value", f"outputs o JOIN {scores} v USING ({', '.join(KEY)})"
    return "o.value", f"{scores} o"


def _conditions(asked: Sequence[Condition], names: Names, bindings: Bindings) -> list[str]:
    of_one_score = [each for each in asked if each.field[0] in OF_SCORES and len(each.field) == 1]
    conditions = [_condition(each, names, bindings) for each in asked if each not in of_one_score]
    return [*conditions, _of_one_score(of_one_score, names, bindings)] if of_one_score else conditions


def _ranks(names: Names, bindings: Bindings) -> list[str]:
    """Return by what rows are in the order of the job: that of its tasks, samples and targets."""
    task = [f"list_position({bindings.bind(list(names.tasks))}, o.task)"] if len(names.tasks) > 1 else []
    target = [f"list_position({bindings.bind(list(names.targets))}, o.target)"] if len(names.targets) > 1 else []
    return [*task, "o.sample", *target, "o.trial"]


def _order(selection: Selection, names: Names, bindings: Bindings, value: str) -> str:
    direction = " DESC" if selection.descending != selection.backwards else ""
    ranks = _ranks(names, bindings)
    if selection.sort == ("sample",):
        return ", ".join(f"{rank}{direction}" for rank in ranks)
    last, further = ("FIRST", " DESC") if selection.backwards else ("LAST", "")
    return ", ".join([f"{value}{direction} NULLS {last}", *(f"{rank}{further}" for rank in ranks)])


def _follows(selection: Selection, names: Names, bindings: Bindings, value: str, after: Position) -> str:
    """Return the condition that a row comes after a position, and has its value where rows are sorted by one."""
    if after.task not in names.tasks or after.target not in names.targets:
        raise InvalidInput("the cursor is of another job")
    task = [names.tasks.index(after.task) + 1] if len(names.tasks) > 1 else []
    target = [names.targets.index(after.target) + 1] if len(names.targets) > 1 else []
    position = [*task, after.sample, *target, after.trial]
    further = f"({', '.join(_ranks(names, bindings))}) {{}} ({', '.join(map(bindings.bind, position))})"
    sign = "<" if selection.descending != selection.backwards else ">"
    if selection.sort == ("sample",):
        return further.format(sign)
    further = further.format("<" if selection.backwards else ">")
    return f"{value} {'IS NULL' if after.value is None else f'= {bindings.bind(after.value)}'} AND {further}"


def _is_beyond(selection: Selection, bindings: Bindings, value: str, last: float | None) -> str:
    """Return the condition that a row's value comes after a value; those without one come last."""
    if last is None:
        return f"{value} IS NOT NULL" if selection.backwards else "false"
    sign = "<" if selection.descending != selection.backwards else ">"
    return f"{value} {sign} {bindings.bind(last)}" + ("" if selection.backwards else f" OR {value} IS NULL")


def _condition(asked: Condition, names: Names, bindings: Bindings) -> str:
    match asked.field:
        case ["score", name]:
            score = find_score(name, names.scores)
            if score is None:
                return "false"
            named = f"c.metric = {bindings.bind(score[0])} AND c.name = {bindings.bind(score[1])}"
            return _some_score(names, f"{named} AND {_compare('c.value', asked, bindings)}")
        case ["item", column]:
            return _of_item(column, asked, bindings)
        case ["feedback"]:
            return _some_score(names, _compare("c.feedback", asked, bindings))
        case ["error"]:
            of_score = _some_score(names, _compare("c.error", asked, bindings))
            return f"{_compare('o.error', asked, bindings)} OR {of_score}"
    return _compare(COLUMNS[asked.field[0]], asked, bindings)


def _of_one_score(conditions: Sequence[Condition], names: Names, bindings: Bindings) -> str:
    parts = [_compare(f"c.{SCORE_COLUMNS[each.field[0]]}", each, bindings) for each in conditions]
    if any(each.field != ("outcome",) for each in conditions):
        return _some_score(names, " AND ".join(parts))
    # An output that could not be had, and is not judged yet, has its outcome too. (A union, since DuckDB makes
    # a semi-join of it; of an OR it does not.)
    keys = ", ".join(KEY)
    lost = f"SELECT {keys}, outcome FROM outputs WHERE outcome <> 'scored'"
    either = f"(SELECT {keys}, outcome FROM scores UNION ALL {lost})"
    return f"EXISTS (SELECT 1 FROM {either} c WHERE {_same_row(names)} AND {' AND '.join(parts)})"


def _some_score(names: Names, condition: str) -> str:
    return f"EXISTS (SELECT 1 FROM scores c WHERE {_same_row(names)} AND {condition})"


def _same_row(names: Names) -> str:
    """Return the condition that a score is of a row, by as much of its key as is not the same in all rows."""
    same = {"task": len(names.tasks) == 1, "target": len(names.targets) == 1}
    return " AND ".join(f"c.{name} = o.{name}" for name in KEY if not same.get(name))


def _of_item(column: str, asked: Condition, bindings: Bindings) -> str:
    # A dot may be part of a column's name, or lead into an object.
    paths = dict.fromkeys((f'$."{column}"', "$" + "".join(f'."{key}"' for key in column.split("."))))
    texts = [f"json_extract_string(s.item, {bindings.bind(path)})" for path in paths]
    text = f"coalesce({', '.join(texts)})"
    if isinstance(asked, Compared) and asked.by != "neq" and _is_number(asked.value):
        return f"try_cast({text} AS DOUBLE) {SIGNS[asked.by]} {bindings.bind(float(asked.value))}"
    return _compare(text, asked, bindings)


def _is_number(value: Value) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _compare(column: str, asked: Condition, bindings: Bindings) -> str:
    match asked:
        case AnyOf(values=values):
            return f"{column} IN ({', '.join(bindings.bind(value) for value in values)})"
        case Compared(by=by, value=value):
            return f"{column} {SIGNS[by]} {bindings.bind(value)}"
        case Holds(texts=texts):
            found = (f"contains(lower({column}), lower({bindings.bind(text)}))" for text in texts)
            return f"({' OR '.join(found)})"
    assert_never(asked)
