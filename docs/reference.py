"""Prints docs/spec.md: every part of a specification, from the classes that read it, with examples that are run."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from core.endpoint import Endpoint, Prompt, Reasoning
from core.metric import Code, ComputedMetric, Judge, Parser, Scale
from core.spec import Dataset, EvaluationSpec, Params, Target, TaskSpec

EXAMPLES = Path(__file__).parent / "examples"

INTRODUCTION = """\
# The specification

What `assay run FILE` takes, in YAML or JSON; `POST /api/assay/v1/jobs` takes the same as `spec`, and `assay schema`
prints its JSON Schema. A field that is not here is refused by its name. This page is made of the classes that read a
specification (`make docs`), and its examples are run by the tests. Most need no model:
`assay run docs/examples/string-check.yaml` shows how one reads.

Texts that hold `{{ … }}` are [templates](templates.md). [Datasets](datasets.md) have a page too, and so have the rules
by which a [judge's reply](judges.md) is read.
"""

MOST_SHOWN = 4
"""Of the classes that a field may be of; the names of more say nothing."""

Part = type[BaseModel]


def members(union: Any) -> tuple[Part, ...]:
    """Return the classes of a union, annotated or not."""
    return get_args(get_args(union)[0]) if hasattr(union, "__metadata__") else get_args(union)


CHAPTERS: dict[str, tuple[Part, ...]] = {
    "The whole": (EvaluationSpec, Params),
    "Targets": (*members(Target), Endpoint, Reasoning),
    "Tasks": (TaskSpec, *members(Dataset), Prompt),
    "Computed metrics": members(ComputedMetric),
    "Judges": (Judge, *members(Scale), *members(Parser)),
    "Code": (Code,),
}


def page() -> str:
    """Return the page as Markdown."""
    chapters = (line for chapter, parts in CHAPTERS.items() for line in _chapter(chapter, parts))
    return "\n".join([INTRODUCTION, *chapters])


def examples_of(part: Part) -> list[Path]:
    """Return the files whose metric, or judge's scale, is of this class."""
    name = tag(part)
    return sorted(EXAMPLES.glob(f"{name}.yaml")) + sorted(EXAMPLES.glob(f"judge-{name}.yaml")) if name else []


def tag(part: Part) -> str | None:
    """Return the `type` or `kind` that tells a class from the others of its union."""
    fields = [part.model_fields[name] for name in ("type", "kind") if name in part.model_fields]
    return fields[0].default if fields else None


def _chapter(title: str, parts: tuple[Part, ...]) -> Iterator[str]:
    yield f"## {title}\n"
    for part in parts:
        yield f"### {_heading(part)}\n\n{inspect.cleandoc(part.__doc__ or '')}\n"
        yield from _fields(part)
        for example in examples_of(part):
            yield f"```yaml\n{example.read_text()}```\n"


def _heading(part: Part) -> str:
    field = next((name for name in ("type", "kind") if name in part.model_fields), None)
    return f"`{field}: {tag(part)}`" if field else _words_of(part.__name__).capitalize()


def _fields(part: Part) -> Iterator[str]:
    schema = part.model_json_schema(ref_template="{model}")
    yield "| field | is | by default |\n|---|---|---|"
    for name, field in schema["properties"].items():
        if "const" in field:
            continue
        needed = name in schema.get("required", ())
        yield f"| `{name}` | {_kind(field)} | {'**needed**' if needed else _default(field)} |"
    yield ""


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    if default is None or default in ({}, []):
        return ""
    return "see there" if isinstance(default, dict) else f"`{_yaml(default)}`"


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).replace("|", "\\|")


def _kind(field: dict[str, Any]) -> str:
    """Say in words which values a field may have, by its JSON Schema."""
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "$ref" in field:
        return _words_of(field["$ref"])
    if choices := field.get("anyOf") or field.get("oneOf"):
        kinds = dict.fromkeys(_kind(choice) for choice in choices if choice.get("type") != "null")
        return " or ".join(kinds) if len(kinds) <= MOST_SHOWN else "one of those below"
    return _simple(field)


def _simple(field: dict[str, Any]) -> str:
    match field.get("type"):
        case "array" if "prefixItems" in field:
            return "[" + ", ".join(_kind(item) for item in field["prefixItems"]) + "]"
        case "array":
            return f"list of: {_kind(field['items'])}"
        case "object":
            values = field.get("additionalProperties")
            return f"mapping of names to: {_kind(values)}" if isinstance(values, dict) and values else "mapping"
        case "boolean":
            return "true or false"
        case "integer":
            return "whole number" + _bounds(field)
        case "number":
            return "number" + _bounds(field)
        case "string":
            return "text"
        case _:
            return "any value"


def _bounds(field: dict[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤"}
    return "".join(f" {sign} {field[key]:g}" for key, sign in signs.items() if key in field)


def _words_of(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


if __name__ == "__main__":
    print(page(), end="")
