"""NeMo's wire classes of configs, and of the requests for jobs."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, JsonValue, Tag

from api.http.fields import Text
from api.http.wire import Wire
from api.nemo.benchmarks import BENCHMARKS
from api.nemo.schema.fields import Described, Filled, Key, Limit, Template, TextOr, type_of
from api.nemo.schema.metrics import Metric
from api.nemo.schema.targets import Dataset, Entity, Sampling, Target
from core.spec import MOST_TRIALS


class TaskParams(Wire):
    """What a task asks of the target."""

    template: Template | None = None


class Task(Wire):
    """A task of a custom evaluation."""

    type: str
    params: TaskParams | None = None
    dataset: TextOr[Dataset] | None = None
    metrics: dict[Key, Metric] | None = None


class Group(Wire):
    """Tasks whose results are shown together."""

    tasks: list[str] | None = None
    metrics: dict[str, JsonValue] | None = None
    groups: dict[str, "Group"] | None = None


Repeats = Annotated[int, Field(ge=1, le=MOST_TRIALS)]


class Extra(Wire):
    """Parameters beyond the documented ones; `n_samples` and `num_repeats` both say how often each sample is asked."""

    hf_token: str | None = None
    dataset: TextOr[Dataset] | None = None
    n_samples: Repeats | None = None
    num_repeats: Repeats | None = None


class ConfigParams(Sampling):
    """How the evaluation is carried out."""

    parallelism: Annotated[int, Field(ge=1, le=4096)] | None = None
    limit_samples: Limit | None = None
    request_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    max_retries: Annotated[int, Field(ge=0, le=100)] | None = None
    extra: Extra | None = None


class CustomConfig(Entity):
    """An evaluation put together from tasks and metrics."""

    type: Literal["custom"]
    params: ConfigParams | None = None
    tasks: Annotated[dict[Key, Task], Field(min_length=1)]
    groups: dict[Key, Group] | None = None


class BenchmarkConfig(Entity):
    """An evaluation that is named for a benchmark, and written down with it."""

    type: Annotated[str, Field(json_schema_extra={"enum": [*BENCHMARKS]})]
    params: ConfigParams | None = None
    tasks: dict[Key, Task] | None = None
    groups: dict[Key, Group] | None = None


class OtherConfig(Entity):
    """An evaluation of any other type."""

    type: Filled
    tasks: dict[str, JsonValue] | None = None
    groups: dict[str, JsonValue] | None = None


def config_form(value: object) -> str:
    """Tell which class reads a config."""
    given = type_of(value)
    return "benchmark" if given in BENCHMARKS else given if given == "custom" else "other"


Config = Annotated[
    Annotated[CustomConfig, Tag("custom")]
    | Annotated[BenchmarkConfig, Tag("benchmark")]
    | Annotated[OtherConfig, Tag("other")],
    Discriminator(config_form),
]


class JobInput(Wire):
    """What to evaluate, and how."""

    target: TextOr[Target]
    config: TextOr[Config]


class JobCreate(Described):
    """The request for a job."""

    spec: JobInput


class JobCreateV1(JobInput, Described):
    """The request for a job in the first version; the status and result that clients may send are left alone."""

    output_files_url: Text | None = None
