"""NeMo's wire classes of responses."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

JsonDict = dict[str, Any]

Status = Literal[
    "created",
    "pending",
    "active",
    "cancelled",
    "cancelling",
    "error",
    "completed",
    "paused",
    "pausing",
    "resuming",
]
TaskStatus = Literal["pending", "running", "completed", "failed"]


class Wire(BaseModel):
    """A part of a response."""

    model_config = ConfigDict(frozen=True)


class Job(Wire):
    """A job as it stands."""

    id: str
    name: str
    description: str | None
    project: str | None
    namespace: str
    created_at: str
    updated_at: str
    spec: JsonDict
    status: Status
    status_details: JsonDict
    error_details: JsonDict | None
    ownership: JsonDict | None
    custom_fields: JsonDict | None


class Part(Wire):
    """How one part of a job's execution stands; nothing in it is null."""

    status: Status
    status_details: JsonDict
    error_details: JsonDict


class StepTask(Part):
    """A process that works on a step."""

    id: str
    error_stack: str


class Step(Part):
    """A step of a job; ours have one."""

    name: str
    tasks: list[StepTask]


class JobStatus(Part):
    """How a job's execution stands."""

    job_id: str
    steps: list[Step]


class JobResult(Wire):
    """A result that can be downloaded."""

    result_name: str
    job_id: str
    namespace: str
    project: str | None
    created_at: str
    updated_at: str
    artifact_url: str
    artifact_storage_type: Literal["nds"] = "nds"


class JobResults(Wire):
    """A job's results."""

    object: Literal["list"] = "list"
    data: list[JobResult]


class ScoreStats(Wire):
    """The statistics of a score; those that need at least one value may be absent."""

    count: int
    nan_count: int
    sum: float | None
    mean: float | None
    min: float | None
    max: float | None
    sum_squared: float | None
    variance: float | None
    stddev: float | None
    stderr: float | None


class Score(Wire):
    """A score's mean; the text NaN, which clients read as such, if nothing was scored."""

    value: float | Literal["NaN"]
    stats: ScoreStats


class MetricResult(Wire):
    """A metric's scores."""

    scores: dict[str, Score] = {}


class TaskResult(Wire):
    """A task's metrics."""

    metrics: dict[str, MetricResult] = {}


class GroupResult(Wire):
    """A group's metrics and subgroups."""

    metrics: dict[str, MetricResult] = {}
    groups: dict[str, "GroupResult"] = {}


class EvaluationResult(Wire):
    """All scores of a job."""

    tasks: dict[str, TaskResult]
    groups: dict[str, GroupResult]
