"""Function call: is the model's one call among the possible answers, or does it rightly make none?

Source: the categories "simple" and "irrelevance" of the Berkeley Function-Calling Leaderboard v3 (Patil et al. 2025). A
possible answer lists for each argument the values that it may have; an empty text among them says that it may be left
out. Where no function fits, no call is right; one whose arguments cannot be read is none.
Differences: arguments are compared by value, not first by declared type, so that 5.0 is 5; nested values are compared
to any depth. The leaderboard's own data has nested members with a list of possible values, and others with the value
itself, which may be a list too.
"""

import re
from typing import Any

from core.metric import FunctionCall
from tasks.metrics.function_calls import read_calls, read_json, same
from tasks.metrics.measure import Measure, Texts, Unparsable, check

_LEFT_OUT = ""
_IGNORED = re.compile(r"[ ,./\-_*^]")


def function_call(candidate: str, reference: str) -> float:
    """Return 1.0 if `candidate` is one call that `reference` allows, else 0.0.

    `reference` is a JSON list of one object, `{"<function>": {"<argument>": [<possible value>, ...]}}`, or an empty one
    if there should be no call. Raises Unparsable for a text of another form.
    """
    calls = read_calls("candidate", candidate)
    wanted = read_json("reference", reference)
    if wanted == [] and reference.strip().startswith("["):  # nothing and null are a row without an answer
        return float(all(isinstance(call.given, Unparsable) for call in calls))
    name, possible = _possible(wanted)
    if len(calls) != 1 or _plain_name(calls[0].name) != _plain_name(name):
        return 0.0
    return float(_members_match(calls[0].arguments, possible))


def measure(_metric: FunctionCall, texts: Texts) -> list[Measure]:
    """Return the scores of an output's texts."""
    return [check(function_call(**texts))]


def _possible(wanted: Any) -> tuple[str, dict[str, Any]]:
    match wanted:
        case [dict() as answer] if len(answer) == 1:
            [(name, possible)] = answer.items()
            if isinstance(possible, dict):
                return name, possible
    raise Unparsable("reference", "it is not a list of one function with its possible arguments")


def _plain_name(name: str) -> str:
    # OpenAI's route takes no dots in the names of functions.
    return name.replace(".", "_")


def _members_match(given: dict[str, Any], possible: dict[str, Any], *, nested: bool = False) -> bool:
    """Tell whether every member has a possible value, and none is left out that is needed.

    One may have its value itself instead of a list of those that are possible; if nested, even one that is a list.
    """
    needed = {name for name, values in possible.items() if not (isinstance(values, list) and _LEFT_OUT in values)}
    return needed <= given.keys() <= possible.keys() and all(
        _is_possible(value, possible[name], nested=nested) for name, value in given.items()
    )


def _is_possible(value: Any, values: Any, *, nested: bool) -> bool:
    if isinstance(values, list) and any(_matches(value, each) for each in values):
        return True
    return (nested or not isinstance(values, list)) and _matches(value, values)


def _matches(value: Any, possible: Any) -> bool:
    match value, possible:
        case str(), str():
            return _plain(value) == _plain(possible)
        case dict(), dict():
            return _members_match(value, possible, nested=True)
        case list(), list():
            return len(value) == len(possible) and all(map(_matches, value, possible))
    return same(value, possible)


def _plain(text: str) -> str:
    return _IGNORED.sub("", text).lower().replace("'", '"')
