"""NeMo's wire classes of requests for targets and configs."""

from typing import Annotated, Final

from pydantic import Discriminator, Tag, TypeAdapter

from api.http.wire import Body
from api.nemo.schema.fields import Described
from api.nemo.schema.jobs import BenchmarkConfig, CustomConfig, OtherConfig, config_form
from api.nemo.schema.targets import Target


class TargetCreate(Described, Target):
    """The request for a target."""


class CustomConfigCreate(Described, CustomConfig):
    """The request for a config of a custom evaluation."""


class BenchmarkConfigCreate(Described, BenchmarkConfig):
    """The request for a config that names a benchmark."""


class OtherConfigCreate(Described, OtherConfig):
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
