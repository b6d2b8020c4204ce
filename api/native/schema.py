"""What goes over the wire of the native API: jobs, summaries, samples and logs in the core's words."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.http.wire import SealedBody
from core.job import Face, Failure, Intent, JobStatus
from core.result import Outcome
from core.spec import EvaluationSpec
from core.stats.words import Caution, Method, Reason

EntityName = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00/]+$")]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Format = Literal["json", "jsonl", "csv", "parquet"]


class JobRequest(SealedBody):
    """The request for a job. An `api_key` in it is a key in clear; on this machine alone it may be `env:NAME`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    spec: EvaluationSpec
    name: EntityName | None = None
    namespace: EntityName | None = None
    project: Text | None = None
    description: Text | None = None


class Progress(BaseModel):
    """How many samples of a task have passed a stage, of how many."""

    done: int
    total: int


class ListedJob(BaseModel):
    """A job as a list shows it; `progress` is by task and stage."""

    id: str
    face: Face
    namespace: str
    name: str
    project: str | None
    description: str | None
    target: str | None
    config: str | None
    model: str | None
    status: JobStatus
    intent: Intent
    note: str | None
    failure: Failure | None
    flow_run_id: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: dict[str, dict[str, Progress]]


class JobRecord(ListedJob):
    """A job; `spec` is the core's, its keys masked. Rows that came in the request are in a file that it names."""

    spec: dict[str, JsonValue] | None


class Summary(BaseModel):
    """The scores of one (task, target, metric, name), aggregated; without any scored the statistics are null.

    `ci_low` to `ci_high` is where the mean of all such samples lies, at `ci_level`; without a `ci_method` there is no
    interval, and `ci_reason` says why. docs/statistics.md has the rest.
    """

    task: str
    target: str
    metric: str
    name: str
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
    outcomes: dict[Outcome, int]
    samples: int | None
    trials: int | None
    clusters: int | None
    standard_error: float | None
    ci_low: float | None
    ci_high: float | None
    ci_level: float | None
    ci_method: Method | None
    ci_reason: Reason | None
    scale_min: float | None
    scale_max: float | None
    worst_case: float | None
    best_case: float | None
    repeats: dict[str, float] | None
    cautions: list[Caution] | None


class Summaries(BaseModel):
    """A job's summaries: none before they are made, from all samples, at its end."""

    data: list[Summary]


class SampleScore(BaseModel):
    """One metric's score on one output."""

    metric: str
    name: str
    outcome: Outcome
    value: float | None
    label: str | None
    passed: bool | None
    feedback: str | None
    error: str | None


class Sample(BaseModel):
    """What a target made of one sample, and its scores: none yet if the output is not judged."""

    task: str
    sample: int
    target: str
    trial: int
    item: dict[str, JsonValue]
    output: str | None
    reasoning: str | None
    tool_calls: JsonValue
    finish_reason: str | None
    truncated: bool
    empty: bool
    outcome: Outcome
    error: str | None
    scores: list[SampleScore]


class Coverage(BaseModel):
    """How many samples a job has, and of how many the outputs, and the scores, can be read by now."""

    samples: int
    generated: int
    judged: int


class SamplePage(BaseModel):
    """Some samples; `next_cursor` is null after the last."""

    data: list[Sample]
    next_cursor: str | None
    coverage: Coverage


class LoggedLine(BaseModel):
    """A line of a job's log; its time is UTC."""

    time: datetime
    level: str
    step: str
    message: str


class LogLines(BaseModel):
    """Some lines of a log; `next_cursor` is null if there are no more by now."""

    data: list[LoggedLine]
    next_cursor: int | None
    total: int
