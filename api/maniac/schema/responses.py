"""What Maniac's answers hold; every field is there, null where nothing is known."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.maniac.schema.fields import Metadata, Tags
from api.maniac.schema.runs import DataSource
from api.maniac.schema.stored import Api, Mode

Item = TypeVar("Item")


class Listed(BaseModel, Generic[Item]):
    """A part of a list, and how long all of it is."""

    object: Literal["list"] = "list"
    data: list[Item]
    total: int


class _Evaluator(BaseModel):
    id: str
    project_id: str
    container_id: str | None
    container: str | None
    name: str
    description: str | None
    created_at: str
    metadata: Metadata
    pass_threshold: float | None
    mode: Mode
    api: Api | None


class JudgeEvaluator(_Evaluator):
    """An evaluator that asks a model."""

    object: Literal["evaluator.judge"] = "evaluator.judge"
    model: str
    prompt: str
    inference_parameters: dict[str, JsonValue] | None


class CodeEvaluator(_Evaluator):
    """An evaluator that runs a function."""

    object: Literal["evaluator.code"] = "evaluator.code"
    source: str
    requirements: list[str] | None


Evaluator = Annotated[JudgeEvaluator | CodeEvaluator, Field(discriminator="object")]


class EvaluatorDeleted(BaseModel):
    """An evaluator is gone."""

    object: Literal["evaluator"] = "evaluator"
    id: str
    deleted: Literal[True] = True


class Container(BaseModel):
    """A container; what this service does not do is null."""

    object: Literal["container"] = "container"
    id: str
    project_id: str
    org_id: None = None
    user_id: None = None
    created_at: str
    label: str
    api: Api
    initial_model: str
    best_model_id: None = None
    default_system_prompt: str | None
    default_parameters: dict[str, JsonValue] | None
    default_few_shot_messages: None = None
    optimized_system_prompt: None = None
    optimized_parameters: None = None
    optimized_few_shot_messages: None = None
    system_prompt_prefix: None = None
    deleted_at: Literal[False] = False


class ContainerDeleted(BaseModel):
    """A container is gone, with what was logged in it."""

    object: Literal["container"] = "container"
    label: str
    deleted: Literal[True] = True


class Registered(BaseModel):
    """What became of examples: how many were logged, and what is wrong with the others."""

    ok: bool
    container: str
    summary: dict[str, int]
    errors: list[dict[str, JsonValue]]


class Completion(BaseModel):
    """A logged completion."""

    model_config = ConfigDict(protected_namespaces=())

    object: Literal["chat.completion"] = "chat.completion"
    id: str
    created: int
    model: str | None
    model_id: None = None
    provider: None = None
    container: str | None
    input: dict[str, Any]
    choices: list[Any]
    usage: Any
    spend: None = None
    tags: Tags
    metadata: Metadata
    trace: None = None


class Dataset(BaseModel):
    """A dataset; `digest` is the sha256 of its rows."""

    object: Literal["dataset"] = "dataset"
    id: str
    name: str
    description: str | None
    user_id: None = None
    project_id: str
    org_id: None = None
    container_id: str
    requested_size: int
    size: int
    filters: list[dict[str, JsonValue]] | None
    created_at: str
    tags: Tags
    metadata: Metadata
    digest: str


class DatasetCreated(BaseModel):
    """A dataset has been made."""

    id: str
    message: str


class PerEval(BaseModel):
    """What an evaluator made of the outputs of a model."""

    accuracy: float | None
    avg_accuracy: float | None
    avg_score: float | None
    num_total: int
    num_scored: int
    num_errors: int
    num_passed: int
    num_failed: int
    num_missing: int
    expected_count: int
    break_reason: str | None


class PerModel(BaseModel):
    """What the evaluators made of a model, by their ids."""

    model: dict[str, str]
    per_eval: dict[str, PerEval]
    avg_score: float | None
    avg_accuracy: float | None
    launch_index: int
    launch_call_id: None = None


class Overall(BaseModel):
    """The means over all models."""

    avg_score: float | None
    avg_accuracy: float | None


class Results(BaseModel):
    """The results of a run."""

    overall: Overall
    per_model: list[PerModel]
    launch_count: int
    metadata: dict[str, JsonValue] = {}


class Run(BaseModel):
    """An evaluation run."""

    object: Literal["evaluation.run"] = "evaluation.run"
    id: str
    process_id: str
    created_at: str
    finished_at: str | None
    error_at: str | None
    status: Literal["pending", "running", "completed", "error", "cancelled"]
    error: str | None
    evaluators: list[str]
    container: str
    dataset_id: str | None
    sample: DataSource
    ground_truth: DataSource
    results: Results | None
    metrics: dict[str, float | None] | None
    config: dict[str, Any]
    spend: None = None
    metadata: Metadata
