"""Rows of the Berkeley Function-Calling Leaderboard v3 in the form that prompts and metrics use.

A row is `{"id", "question": [[<message>, ...]], "function": [<function>, ...]}`. Its `ground_truth` stands in the
row, or with the same id in the file of the same name in the folder `possible_answer`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from core.errors import DatasetUnreadable

Row = dict[str, Any]

ANSWERS: Final = "possible_answer"

TYPES: Final[Mapping[str, str]] = {
    "any": "string",
    "array": "array",
    "bool": "boolean",
    "boolean": "boolean",
    "dict": "object",
    "double": "number",
    "float": "number",
    "integer": "integer",
    "list": "array",
    "long": "integer",
    "number": "number",
    "object": "object",
    "string": "string",
    "tuple": "array",
}
"""The leaderboard's names of types, in the words of JSON Schema."""


def answers_url(url: str) -> str:
    """Return where the possible answers to the questions of a file are."""
    folder, _, name = url.rpartition("/")
    return f"{folder}/{ANSWERS}/{name}"


def arrange(rows: Iterable[Row], read_answers: Callable[[], Iterable[Row]]) -> Iterator[Row]:
    """Yield the rows with `messages`, `tools` and `ground_truth`; answers are read if the first row has none.

    Raises DatasetUnreadable for a row of another shape, or without possible answers.
    """
    answers: dict[Any, Any] | None = None
    for number, row in enumerate(rows, start=1):
        if "ground_truth" not in row:
            if answers is None:
                answers = {answer.get("id"): answer.get("ground_truth") for answer in read_answers()}
            row = {**row, "ground_truth": answers.get(row.get("id"))}
        match row:
            case {"question": [[*messages], *_], "function": [*functions], "ground_truth": [*_]}:
                yield {**row, "messages": messages, "tools": [_tool(number, function) for function in functions]}
            case _:
                raise _misshapen(number, "it needs lists 'question' and 'function', and possible answers")


def json_schema(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter in the words of JSON Schema; an unknown type is a text."""
    schema = {**given, "type": TYPES.get(given.get("type", ""), "string")}
    if isinstance(properties := given.get("properties"), dict):
        schema["properties"] = {name: json_schema(part) for name, part in properties.items()}
    if isinstance(items := given.get("items"), dict):
        schema["items"] = json_schema(items)
    return schema


def _tool(number: int, function: Any) -> dict[str, Any]:
    match function:
        case {"name": str(name), "parameters": dict(parameters)}:
            # OpenAI's route takes no dots in the names of functions.
            named = {"name": name.replace(".", "_"), "description": function.get("description", "")}
            return {"type": "function", "function": {**named, "parameters": json_schema(parameters)}}
    raise _misshapen(number, "a function needs 'name' and 'parameters'")


def _misshapen(number: int, need: str) -> DatasetUnreadable:
    return DatasetUnreadable(f"row {number} is not of the Berkeley Function-Calling Leaderboard: {need}")
