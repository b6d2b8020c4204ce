"""NeMo's wire classes of responses."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from api.http.fields import JsonDict

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
JobStatusV1 = Literal["created", "running", "cancelling", "cancelled", "completed", "failed", "unknown"]
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


class LogLine(Wire):
    """A line of a job's log; `message` ends in a newline."""

    job_id: str
    job_step: str
    job_task: str
    message: str
    timestamp: str


class LogPage(Wire):
    """Some lines of a log, and the cursor of those that follow: null if there are none yet."""

    object: Literal["list"] = "list"
    data: list[LogLine]
    next_page: str | None
    prev_page: str | None
    total: int


class Deleted(Wire):
    """What was deleted."""

    id: str
    deleted_at: str
    message: str = "Resource deleted successfully."


class ScoreStats(Wire):
    """The statistics of a score; those that need at least one value may be absent."""

    count: int
    nan_count: int
    sum: float | None = None
    mean: float | None = None
    min: float | None = None
    max: float | None = None
    sum_squared: float | None = None
    variance: float | None = None
    stddev: float | None = None
    stderr: float | None = None


class Score(Wire):
    """A score's mean; the text NaN, which clients read as such, if nothing was scored."""

    value: float | Literal["NaN"]
    stats: ScoreStats | None = None


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


class StatusDetails(Wire):
    """How far a job of the first version is; all is null before it has started."""

    message: str | None = None
    task_status: dict[str, TaskStatus] = {}
    progress: float | None = None
    samples_processed: int | None = None


class StatusV1(StatusDetails):
    """How far a job of the first version is, and its status."""

    status: JobStatusV1
    progress: float


class JobV1(Wire):
    """A job of the first version, its target and config in full."""

    id: str
    namespace: str
    description: str | None
    project: str | None
    created_at: str
    updated_at: str
    target: JsonDict
    config: JsonDict
    result: str | None
    output_files_url: str | None
    status: JobStatusV1
    status_details: StatusDetails
    custom_fields: JsonDict
    ownership: JsonDict | None


class Result(Wire):
    """The result of an evaluation, that of a job or one that a client stored."""

    id: str
    job: str
    namespace: str
    project: str | None = None
    description: str | None = None
    created_at: str
    updated_at: str
    custom_fields: JsonDict
    ownership: JsonDict | None = None
    files_url: str | None = None
    tasks: JsonDict
    groups: JsonDict


class LiveEvaluation(Wire):
    """An evaluation that was awaited; `logs` has the samples of each task."""

    status: JobStatusV1
    status_details: StatusDetails
    result: Result | None
    logs: JsonDict


class Executor(Wire):
    """What carries out a step of a platform job."""

    provider: Literal["cpu"] = "cpu"
    container: dict[str, str] = {"image": "assay"}


class StepSpec(Wire):
    """A step of a platform job as it was planned; ours have one."""

    name: str = "evaluation"
    executor: Executor = Executor()


class PlatformSpec(Wire):
    """How the platform carries out a job."""

    steps: list[StepSpec] = [StepSpec()]


class PlatformAttempt(Wire):
    """The attempt at a platform job; ours have one, which goes on after a crash."""

    job_id: str
    seq: int = 1
    spec: JsonDict
    platform_spec: PlatformSpec = PlatformSpec()
    status: Status
    status_details: JsonDict


class PlatformJob(Job):
    """A job of the second version as the platform shows it."""

    ownership: JsonDict
    source: str = "evaluation"
    platform_spec: PlatformSpec = PlatformSpec()
    attempt: PlatformAttempt
