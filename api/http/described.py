"""What the OpenAPI document says besides the routes: what this is, how to show a key, and how lists are narrowed."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.http.examples import add_examples

DESCRIPTION: Final = """\
A self-hosted evaluation service for language models. The routes of vendors are those of their own clients, which work
by changing the base URL alone; `/api/assay/v1` has the jobs of all of them in the core's words. Lists take
`filter[FIELD]=VALUE`, with an operator as in `filter[created_at][gte]=2026-01-31`, and `search[FIELD]=TEXT`.
Where the service has keys (`ASSAY_API_KEYS`), each request shows one as a bearer token. The pages for people begin at
[`/`](/)."""

TAGS: Final = (
    ("Assay", "The native API: jobs of every protocol, their results, samples, comparisons and files."),
    ("NeMo v2", "NVIDIA NeMo Evaluator, second version."),
    ("NeMo v1", "NVIDIA NeMo Evaluator, first version: targets, configs, jobs and results."),
    ("NeMo platform", "What NeMo's client asks of the platform around the evaluator."),
    ("Together", "Together evaluations."),
    ("Together files", "Files of Together evaluations."),
    ("Nugen evaluations", "Nugen v3 evaluations."),
    ("Nugen benchmarks", "Nugen v3 benchmarks."),
    ("Maniac", "Maniac evaluators, runs, containers, datasets and completions."),
)

KEY: Final = {"type": "http", "scheme": "bearer", "description": "One of ASSAY_API_KEYS, where there are any."}
NARROWED: Final = frozenset({"page_size", "cursor"})
"""A GET with one of these parameters lists what can be narrowed, if it also takes an order."""

EXAMPLES: Final = {
    "filter": {"status": "completed"},
    "search": {"name": "nightly"},
}
OF_SAMPLES: Final = {
    "filter": {"passed": "false", "item.topic": "geography"},
    "search": {"output": "sorry"},
}


def describe(app: FastAPI, version: str) -> None:
    """Have the application's OpenAPI document say it."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=version,
                description=DESCRIPTION,
                routes=app.routes,
                tags=[{"name": name, "description": said} for name, said in TAGS],
            )
            made.setdefault("components", {})["securitySchemes"] = {"key": KEY}
            made["security"] = [{}, {"key": []}]
            for path, operation in _lists(made):
                examples = OF_SAMPLES if path.endswith("/samples") else EXAMPLES
                operation["parameters"] += [_parameter(name, example) for name, example in examples.items()]
            add_examples(made)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # as FastAPI's own documentation has it


def _lists(made: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in made["paths"].items():
        operation = operations.get("get", {})
        names = {each["name"] for each in operation.get("parameters", ())}
        if "sort" in names and names & NARROWED:
            yield path, operation


def _parameter(name: str, example: dict[str, str]) -> dict[str, Any]:
    said = "one value of a field" if name == "filter" else "a text in a field, or several with commas between"
    return {
        "name": name,
        "in": "query",
        "required": False,
        "style": "deepObject",
        "explode": True,
        "description": f"`{name}[FIELD]=…`: {said}",
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        "example": example,
    }
