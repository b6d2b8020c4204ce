"""NeMo's wire classes of requests.

They are read leniently: keys that are not named here are left alone, a wrong type is refused.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    ModelWrapValidatorHandler,
    PrivateAttr,
    StringConstraints,
    Tag,
    model_validator,
)

from api.body import refuse_unportable

JsonDict = dict[str, Any]


class Wire(BaseModel):
    """A part of a request."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())


Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""A text that is kept in a column of its own; Postgres holds no NUL."""

Inline = TypeVar("Inline")


def _form(value: object) -> str:
    return "text" if isinstance(value, str) else "inline"


TextOr = Annotated[
    Annotated[Text, StringConstraints(min_length=1), Tag("text")] | Annotated[Inline, Tag("inline")],
    Discriminator(_form),
]
"""An object, or a text in its place: the name of a stored one, or a template."""

EntityName = Annotated[str, StringConstraints(pattern=r"^[\w\-\+.@:]*$", max_length=255)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Filled = Annotated[str, StringConstraints(min_length=1)]
Limit = Annotated[int, Field(ge=1)]
Template = TextOr[dict[str, JsonValue]]


class Sampling(Wire):
    """How a model shall choose its words; all go into the request as they are."""

    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    stop: str | list[str] | None = None


class ApiEndpoint(Wire):
    """Where a model answers: a base URL or that of a route."""

    url: Annotated[str, StringConstraints(pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://")]
    model_id: Annotated[Text, StringConstraints(min_length=1)]
    api_key: str | None = None
    format: Literal["nim", "openai", "lama_stack"] | None = None


class ReasoningParams(Wire):
    """How much a model thinks, and how its thinking is told from its answer."""

    effort: str | None = None
    end_token: Filled | None = None
    include_if_not_finished: bool | None = None


class PromptData(Wire):
    """What a model is told with every request."""

    system_prompt: str | None = None
    inference_params: Sampling | None = None
    reasoning_params: ReasoningParams | None = None


class Model(Wire):
    """A model, as target or as judge."""

    api_endpoint: ApiEndpoint | None = None
    prompt: PromptData | None = None


class Dataset(Wire):
    """Files of samples; `format` is often that of their content, such as SQuAD."""

    files_url: Filled
    format: str | None = None
    limit: Limit | None = None
    split: str | None = None
    hf_endpoint: str | None = None


class CachedOutputs(Wire):
    """Files of samples with their outputs."""

    files_url: Filled


class Entity(Wire):
    """What may carry a name for display."""

    name: Text | None = None
    namespace: Text | None = None


class Target(Entity):
    """The system under test; the part that `type` names holds it."""

    type: Literal["model", "cached_outputs", "retriever", "rag", "rows", "dataset"]
    model: TextOr[Model] | None = None
    rows: Annotated[list[dict[str, JsonValue]], Field(min_length=1)] | None = None
    dataset: TextOr[Dataset] | None = None
    cached_outputs: CachedOutputs | None = None


class CheckParams(Wire):
    """Left side, operator, right side; an absolute difference also has the word epsilon and how much it may be."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    check: Annotated[list[str], Field(min_length=3, max_length=5)]


class Check(Wire):
    """Compares two strings, or two numbers."""

    type: Literal["string-check", "number-check"]
    params: CheckParams


class BleuParams(Wire):
    """Templates of what is compared; the candidate is the output unless it is given."""

    references: Annotated[list[str], Field(min_length=1)] | None = None
    candidate: str | None = None


class Bleu(Wire):
    """Compares the output with references."""

    type: Literal["bleu"]
    params: BleuParams | None = None


class ReferenceParams(Wire):
    """Templates of what is compared; the candidate, or prediction, is the output unless it is given."""

    ground_truth: str | None = None
    candidate: str | None = None
    prediction: str | None = None


class Similarity(Wire):
    """Compares the output with a reference."""

    type: Literal["rouge", "em", "exact-match", "f1", "accuracy"]
    params: ReferenceParams | None = None


class ToolCallingParams(Wire):
    """A template of the calls that should be made."""

    tool_calls_ground_truth: str


class ToolCalling(Wire):
    """Compares the model's tool calls with those that it should make."""

    type: Literal["tool-calling"]
    params: ToolCallingParams


class RegexParser(Wire):
    """Reads the number in group 1 of a pattern."""

    type: Literal["regex"]
    pattern: str
    method: Literal["match", "search"] | None = None


class JsonParser(Wire):
    """Reads the number under a key of a JSON object."""

    type: Literal["json"]
    json_path: Filled


class JudgeScore(Wire):
    """A number that a judge gives."""

    parser: Annotated[RegexParser | JsonParser, Field(discriminator="type")]


class JudgeParams(Wire):
    """Who judges, what it is asked, and how its answer is read."""

    model: TextOr[Model]
    template: Template
    scores: Annotated[dict[Key, JudgeScore], Field(min_length=1)]


class LlmJudge(Wire):
    """Has a model grade the outputs."""

    type: Literal["llm-judge"]
    params: JudgeParams


class OtherMetric(Wire):
    """A metric of any other type."""

    type: str


METRIC_FORMS: Final[Mapping[str, str]] = {
    "accuracy": "similarity",
    "bleu": "bleu",
    "em": "similarity",
    "exact-match": "similarity",
    "f1": "similarity",
    "llm-judge": "judge",
    "number-check": "check",
    "rouge": "similarity",
    "string-check": "check",
    "tool-calling": "tool-calling",
}
"""The types of metrics, and by which class each is read."""


def _type(value: object) -> str:
    given = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return given if isinstance(given, str) else ""


def _metric_form(value: object) -> str:
    return METRIC_FORMS.get(_type(value), "other")


Metric = Annotated[
    Annotated[Check, Tag("check")]
    | Annotated[Bleu, Tag("bleu")]
    | Annotated[Similarity, Tag("similarity")]
    | Annotated[ToolCalling, Tag("tool-calling")]
    | Annotated[LlmJudge, Tag("judge")]
    | Annotated[OtherMetric, Tag("other")],
    Discriminator(_metric_form),
]


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


class Extra(Wire):
    """Parameters beyond the documented ones."""

    hf_token: str | None = None
    dataset: TextOr[Dataset] | None = None


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

    type: Literal["gsm8k", "bfclv3", "similarity_metrics"]
    params: ConfigParams | None = None
    tasks: dict[Key, Task] | None = None
    groups: dict[Key, Group] | None = None


class OtherConfig(Entity):
    """An evaluation of any other type."""

    type: Filled
    tasks: dict[str, JsonValue] | None = None
    groups: dict[str, JsonValue] | None = None


BENCHMARKS: Final = ("bfclv3", "gsm8k", "similarity_metrics")


def config_form(value: object) -> str:
    """Tell which class reads a config."""
    given = _type(value)
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


class Body(Wire):
    """A request's whole body, which is kept as it was sent."""

    _sent: JsonDict = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, body: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        refuse_unportable(body)
        request = read(body)
        request._sent = body
        return request

    @property
    def sent(self) -> JsonDict:
        """The body as it was sent, with all its keys."""
        return self._sent


class JobCreate(Body):
    """The request for a job."""

    spec: JobInput
    name: EntityName | None = None
    namespace: EntityName | None = None
    project: Text | None = None
    description: Text | None = None
    custom_fields: dict[str, JsonValue] | None = None
    ownership: dict[str, JsonValue] | None = None


class JobCreateV1(JobInput, Body):
    """The request for a job in the first version; the status and result that clients may send are left alone."""

    name: EntityName | None = None
    namespace: EntityName | None = None
    project: Text | None = None
    description: Text | None = None
    output_files_url: Text | None = None
    custom_fields: dict[str, JsonValue] | None = None
    ownership: dict[str, JsonValue] | None = None


class ScoreValue(Wire):
    """A score of a stored result, and its statistics."""

    value: float | Literal["NaN"]
    stats: dict[str, float | Literal["NaN"] | None] | None = None


class MetricScores(Wire):
    """A metric's scores in a stored result."""

    scores: dict[str, ScoreValue] | None = None


class TaskScores(Wire):
    """A task's metrics in a stored result."""

    data: dict[str, JsonValue] | None = None
    metrics: dict[str, MetricScores] | None = None


class GroupScores(Wire):
    """A group's metrics in a stored result."""

    metrics: dict[str, MetricScores] | None = None
    groups: dict[str, "GroupScores"] | None = None


class ResultUpdate(Body):
    """What shall change of a stored result; what is absent or null stays as it is."""

    job: Annotated[Text, StringConstraints(min_length=1)] | None = None
    namespace: EntityName | None = None
    project: Text | None = None
    description: Text | None = None
    files_url: Text | None = None
    tasks: dict[str, TaskScores] | None = None
    groups: dict[str, GroupScores] | None = None
    custom_fields: dict[str, JsonValue] | None = None
    ownership: dict[str, JsonValue] | None = None


class ResultCreate(ResultUpdate):
    """The result of an evaluation, to be stored."""

    job: Annotated[Text, StringConstraints(min_length=1)]
