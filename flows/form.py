"""What a run of `evaluate` is asked for by a person, a schedule or a program: a few flat fields, and none for a key."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from prefect import Flow
from prefect.utilities.callables import parameter_schema
from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from core.job import Failure
from core.patterns import Like

DEMO_TARGET: Final = "demo/model"
DEMO_CONFIG: Final = "demo/qa"

NO_SPEC: Final = "a deployment takes no spec: name a stored target and config, or a spec_file"

STORED: Final = r"^[\w\-+.@]+/[\w\-+.@]+$"
NAMESPACE_NAME: Final = "name a stored one as NAMESPACE/NAME"
TEXT: Final = r"^(?!\s*[A-Za-z][A-Za-z0-9+.\-]*://[^/]*@)"
"""Any text but a URL with user info, which would be kept as it is."""

JsonDict = dict[str, Any]


def _string(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


def _count(most: int, example: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "integer", "minimum": 1, "maximum": most, "examples": [example]})


# The schemas are written out because that of an optional value would be a union, which Prefect's form shows badly.
StoredTarget = Annotated[str, Like(STORED, NAMESPACE_NAME), _string(STORED, DEMO_TARGET)]
StoredConfig = Annotated[str, Like(STORED, NAMESPACE_NAME), _string(STORED, DEMO_CONFIG)]
JobName = Annotated[str | None, Field(max_length=200), _string(TEXT, "nightly")]
Project = Annotated[str | None, _string(TEXT, "assistant")]
SampleLimit = Annotated[int | None, Field(ge=1), _count(1_000_000_000, 100)]
Parallelism = Annotated[int | None, Field(ge=1, le=4096), _count(4096, 16)]
SpecFile = Annotated[str | None, _string(TEXT, "/srv/evals/qa.yaml")]


class Asked(BaseModel):
    """What a run is asked for: a stored target and config, or a file that holds a whole specification."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    target: StoredTarget = DEMO_TARGET
    config: StoredConfig = DEMO_CONFIG
    name: JobName = None
    project: Project = None
    limit_samples: SampleLimit = None
    parallelism: Parallelism = None
    spec_file: SpecFile = None

    @field_validator("name", "project", "spec_file")
    @classmethod
    def _has_no_key(cls, text: str | None) -> str | None:
        """Refuse, where the schema of the form was not asked, what it refuses: pydantic's patterns cannot say it."""
        if text and not re.match(TEXT, text):
            raise PydanticCustomError("key_in_url", "a URL here has no user and no key: it would be kept as it is")
        return text

    @property
    def overrides(self) -> dict[str, int]:
        """The parameters that take the place of those of the config."""
        given = {"limit_samples": self.limit_samples, "parallelism": self.parallelism}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def request(self) -> JsonDict:
        """The request as it is kept until what it names is put in its place."""
        if self.spec_file is not None:
            return {"spec": {"spec_file": self.spec_file}, **self.overrides}
        return {"spec": {"target": self.target, "config": self.config}, **self.overrides}


def read_form(parameters: Mapping[str, Any]) -> tuple[Asked, Failure | None]:
    """Return what a run's parameters ask for, or nothing of it and why it cannot be carried out."""
    if parameters.get("spec") is not None:
        return Asked(), Failure(blame="user", code="invalid_spec", message=NO_SPEC)
    try:
        return Asked.model_validate(parameters), None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        return Asked(), Failure(blame="user", code="invalid_spec", message=f"parameter {place}: {first['msg']}")


def form_schema(flow: Flow[..., Any]) -> JsonDict:
    """Return the schema of the form of a flow: its fields that people see, and nothing beside them.

    A field that may be left out has no default, so that null is let pass too.
    """
    schema = parameter_schema(flow).model_dump(exclude_unset=True)
    fields = {
        name: {key: value for key, value in field.items() if (key, value) != ("default", None)}
        for name, field in schema["properties"].items()
    }
    return {**schema, "properties": fields, "additionalProperties": False}


JOB_SCHEMA: Final[JsonDict] = {
    "title": "Parameters",
    "type": "object",
    "properties": {
        "job_id": {
            "title": "job_id",
            "type": "string",
            "description": "The job to carry out, which the API has recorded.",
            "examples": ["job-0a1b2c3d4e5f6g7h8i9j0k"],
            "position": 0,
        },
        "block": {
            "title": "block",
            "type": "integer",
            "minimum": 0,
            "description": "The block of its shards to carry out, for the run that carries out the job.",
            "position": 1,
        },
    },
    "required": ["job_id"],
    "additionalProperties": False,
}
"""The schema of the runs that the API starts."""
