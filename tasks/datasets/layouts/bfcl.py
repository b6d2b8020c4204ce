"""Rows of the Berkeley Function-Calling Leaderboard v3 in the form that prompts and metrics use.

A row is `{"id", "question": [[<message>, ...]], "function": [<function>, ...]}`. Its `ground_truth` stands in the
row, or with the same id in the file of the same name in the folder `possible_answer`; to a question of the category
"irrelevance" the answer is no call, and there is no file. What NVIDIA calls the format
`openai` is read too: `{"messages": [[<message>, ...]], "tools": [<tool>, ...], "tool_calls_ground_truth": [...]}`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, Final

from core.errors import DatasetUnreadable

Row = dict[str, Any]

ANSWERS: Final = "possible_answer"

OTHERS: Final = (ANSWERS, "multi_turn_func_doc")
"""The folders beside the questions that have none."""

_NO_CALL: Final = re.compile(r"(?:live_)?irrelevance_")

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
    """Return where the possible answers to the questions of a file are.

    Raises DatasetUnreadable for an upload, beside which there is nothing.
    """
    folder, _, name = url.rpartition("/")
    if not folder:
        raise DatasetUnreadable(f"{url} is an upload, beside which there is no {ANSWERS}: its rows need 'ground_truth'")
    return f"{folder}/{ANSWERS}/{name}"


def is_of_category(path: PurePath, category: str | None) -> bool:
    """Tell whether a file in the leaderboard's folder has questions, of a category if one is given."""
    stem = path.name.partition(".")[0]
    return path.parent.name not in OTHERS and (
        category is None or re.search(rf"(?:^|_v\d_){re.escape(category)}$", stem) is not None
    )


def arrange(rows: Iterable[Row], read_answers: Callable[[], Iterable[Row]], named: str) -> Iterator[Row]:
    """Yield the rows with `messages`, `tools` and `ground_truth`; answers are read if the first row has none.

    Raises DatasetUnreadable for a row of another shape, or without possible answers.
    """
    answers: dict[Any, Any] | None = None
    for number, row in enumerate(rows, start=1):
        where = f"row {number} of {named}"
        if "tool_calls_ground_truth" in row:
            yield _of_openai(where, row)
            continue
        if "ground_truth" not in row and _NO_CALL.match(str(row.get("id"))):
            row = {**row, "ground_truth": []}
        if "ground_truth" not in row:
            if answers is None:
                answers = {answer.get("id"): answer.get("ground_truth") for answer in read_answers()}
            if row.get("id") not in answers:
                raise _misshapen(where, f"there is no answer to its 'id', {row.get('id')!r}, in {ANSWERS}/")
            row = {**row, "ground_truth": answers[row["id"]]}
        match row:
            case {"question": [[*messages], *_], "function": [*functions], "ground_truth": [*_]}:
                yield {**row, "messages": messages, "tools": [_tool(where, function) for function in functions]}
            case _:
                need = (
                    "it needs lists 'question' and 'function', and possible answers in 'ground_truth' or in "
                    f"{ANSWERS}/; or 'messages', 'tools' and 'tool_calls_ground_truth'"
                )
                raise _misshapen(where, need)


def _of_openai(where: str, row: Row) -> Row:
    match row:
        case {"messages": [[*messages], *_] | [*messages], "tools": [*_], "tool_calls_ground_truth": [*truth]}:
            return {**row, "messages": messages, "ground_truth": truth}
    raise _misshapen(where, "it needs lists 'messages', 'tools' and 'tool_calls_ground_truth'")


def json_schema(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter in the words of JSON Schema; an unknown type is a text."""
    kind = given.get("type", "")
    schema = {**given, "type": [*map(_type, kind)] if isinstance(kind, list) else _type(kind)}
    if isinstance(properties := given.get("properties"), dict):
        schema["properties"] = {name: json_schema(part) for name, part in properties.items()}
    if isinstance(items := given.get("items"), dict):
        schema["items"] = json_schema(items)
    return schema


def _type(name: Any) -> str:
    return "null" if name == "null" else TYPES.get(str(name), "string")


def _tool(where: str, function: Any) -> dict[str, Any]:
    match function:
        case {"name": str(name), "parameters": dict(parameters)}:
            # OpenAI's route takes no dots in the names of functions.
            named = {"name": name.replace(".", "_"), "description": function.get("description", "")}
            return {"type": "function", "function": {**named, "parameters": json_schema(parameters)}}
    raise _misshapen(where, "a function needs 'name' and 'parameters'")


def _misshapen(where: str, need: str) -> DatasetUnreadable:
    return DatasetUnreadable(f"{where} is not of the Berkeley Function-Calling Leaderboard: {need}")
