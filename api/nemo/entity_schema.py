"""NeMo's wire classes of requests for targets and configs."""

from typing import Annotated, Final

from pydantic import Discriminator, JsonValue, Tag, TypeAdapter

from api.nemo.schema import (
    BenchmarkConfig,
    Body,
    CustomConfig,
    EntityName,
    OtherConfig,
    Target,
    Text,
    Wire,
    config_form,
)


class Described(Wire):
    """What is said of a stored entity beside what it is."""

    name: EntityName | None = None
    namespace: EntityName | None = None
    project: Text | None = None
    description: Text | None = None
    custom_fields: dict[str, JsonValue] | None = None
    ownership: dict[str, JsonValue] | None = None


class TargetCreate(Described, Target, Body):
    """The request for a target."""


class CustomConfigCreate(Described, CustomConfig, Body):
    """The request for a config of a custom evaluation."""


class BenchmarkConfigCreate(Described, BenchmarkConfig, Body):
    """The request for a config that names a benchmark."""


class OtherConfigCreate(Described, OtherConfig, Body):
    """The request for a config of any other evaluation."""


ConfigCreate = Annotated[
    Annotated[CustomConfigCreate, Tag("custom")]
    | Annotated[BenchmarkConfigCreate, Tag("benchmark")]
    | Annotated[OtherConfigCreate, Tag("other")],
    Discriminator(config_form),
]

EntityCreate = TargetCreate | CustomConfigCreate | BenchmarkConfigCreate | OtherConfigCreate

TARGET: Final[TypeAdapter[EntityCreate]] = TypeAdapter(TargetCreate)
CONFIG: Final[TypeAdapter[EntityCreate]] = TypeAdapter(ConfigCreate)


class Patch(Body):
    """The fields of an entity that shall change; each replaces the old one, and null takes it away."""
