"""The function calls of a model as values, and how their arguments are compared.

Calls are in the shape of OpenAI's chat completions; datasets leave out its outer layers, or give arguments as objects.
"""

from typing import Any, NamedTuple

import orjson

from tasks.metrics.measure import Unparsable


class FunctionCall(NamedTuple):
    """A function's name, and the arguments it is called with, or why those cannot be read."""

    name: str
    given: dict[str, Any] | Unparsable

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments. Raises Unparsable if they are no JSON object."""
        if isinstance(self.given, Unparsable):
            raise self.given
        return self.given


def read_calls(part: str, text: str) -> list[FunctionCall]:
    """Read a JSON list of calls, a single one, or those of a message or chat completion; nothing and null are no calls.

    Raises Unparsable, naming `part`, for anything else.
    """
    calls = _calls_in(read_json(part, text))
    return [_read_call(part, call) for call in (calls if isinstance(calls, list) else [calls])]


def _calls_in(value: Any) -> Any:
    """Return the calls of a chat completion or message; anything else as it is."""
    match value:
        case {"choices": [{"message": dict(message)}, *_]}:
            return _calls_in(message)
        case {"role": _} | {"tool_calls": _}:
            return value.get("tool_calls") or []
    return value


def read_json(part: str, text: str) -> Any:
    """Read a JSON text, an empty list if there is nothing in it; raises Unparsable naming `part`."""
    try:
        value = orjson.loads(text or "null")
    except orjson.JSONDecodeError as error:
        raise Unparsable(part, f"it is not JSON: {error}") from error
    return [] if value is None else value


def same(first: Any, second: Any) -> bool:
    """Tell whether two JSON values are the same: 1 is 1.0 but not true, and the order of members is free."""
    match first, second:
        case dict(), dict():
            return first.keys() == second.keys() and all(same(value, second[key]) for key, value in first.items())
        case list(), list():
            return len(first) == len(second) and all(map(same, first, second))
        case (bool(), _) | (_, bool()):
            return first is second
    return bool(first == second)


def _read_call(part: str, call: Any) -> FunctionCall:
    function = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise Unparsable(part, "a function call has no name")
    return FunctionCall(function["name"], _read_arguments(part, function))


def _read_arguments(part: str, function: dict[str, Any]) -> dict[str, Any] | Unparsable:
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments or "{}")
        except orjson.JSONDecodeError as error:
            return Unparsable(part, f"the arguments of {function['name']!r} are not JSON: {error}")
    if not isinstance(arguments, dict | None):
        return Unparsable(part, f"the arguments of {function['name']!r} are not an object")
    return arguments or {}
