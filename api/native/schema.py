"""What goes over the wire of the native API: jobs, summaries, samples and logs in the core's words."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.config import JsonDict

from api.http.wire import SealedBody, Wire
from core.endpoint import SecretRef
from core.fields import KnownFields
from core.job import LONGEST_NAME, Face, Failure, Intent, JobStatus
from core.metric import MetricSpec
from core.result import CallOutcome, Outcome, Role
from core.retry import AskedAgain
from core.spec import EvaluationSpec
from core.stats.words import Caution, Method, Reason

EntityName = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, pattern=r"^[^\x00/]+$")]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Format = Literal["json", "jsonl", "csv", "parquet"]


EXAMPLE: Final[JsonDict] = {
    "targets": [{"kind": "recorded", "column": "said"}],
    "tasks": [
        {
            "name": "capitals",
            "dataset": {"kind": "rows", "rows": [{"said": "It is Paris.", "answer": "Paris"}]},
            "metrics": [
                {
                    "type": "string-check",
                    "name": "correct",
                    "left": "{{said}}",
                    "operator": "contains",
                    "right": "{{answer}}",
                }
            ],
        }
    ],
}


class JobRequest(SealedBody, KnownFields):
    """The request for a job. An `api_key` in it is a key in clear; on this machine alone it may be `env:NAME`."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"spec": EXAMPLE, "name": "capitals"}]},
    )

    spec: EvaluationSpec
    name: EntityName | None = None
    namespace: EntityName | None = None
    project: Text | None = None
    description: Text | None = None


class KeyOf(Wire, KnownFields):
    """The key of a target or a judge, by its name."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Text
    api_key: SecretRef


class RetryRequest(SealedBody, KnownFields):
    """What of a job that has ended is made again: all that failed, or ended in one of the outcomes `only`.

    With `judge_only`, stored outputs are judged again: by all judges, those named in `judges`, or those whose scores
    ended in one of the outcomes. `metrics` take the place of those of their names, or are added to all tasks, and no
    target is asked. Keys that came with the job were deleted at its end; those that are needed come in `api_keys`.
    """

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, json_schema_extra={"examples": [{"only": ["judge_unparsable"]}]}
    )

    only: Annotated[list[AskedAgain], Field(min_length=1)] | None = None
    judge_only: bool = False
    judges: tuple[Text, ...] = ()
    metrics: tuple[MetricSpec, ...] = ()
    api_keys: tuple[KeyOf, ...] = ()
    name: EntityName | None = None
    description: Text | None = None


class Progress(BaseModel):
    """How many samples of a task have passed a stage, of how many."""

    done: int
    total: int


class ListedJob(BaseModel):
    """A job as a list shows it; `progress` is by task and stage, `bounds` say what holds up its calls."""

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
    retry_of: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: dict[str, dict[str, Progress]]
    bounds: list[str]


class JobRecord(ListedJob):
    """A job; `spec` is the core's, its keys masked. Rows that came in the request are in a file that it names."""

    spec: dict[str, JsonValue] | None


class Repeats(BaseModel):
    """What asking `k` times tells beside a score's mean; docs/statistics.md has the rest."""

    k: int
    within_variance: float | None
    between_variance: float | None
    rerun_stderr: float | None
    enough_trials: bool | None
    pass_at_k: float | None
    pass_at_k_low: float | None
    pass_at_k_high: float | None
    pass_hat_k: float | None
    pass_hat_k_low: float | None
    pass_hat_k_high: float | None
    too_few_trials: int | None
    consistency: float | None
    flip_rate: float | None


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
    repeats: Repeats | None
    cautions: list[Caution] | None


class SlicedSummary(Summary):
    """A summary of the samples whose rows have a `value` in the column of `slice`."""

    value: JsonValue


class Summaries(BaseModel):
    """A job's summaries: none before they are made, from all samples, at its end; those of slices also before that."""

    data: list[Summary]
    slices: list[SlicedSummary] = []


class ValueBin(BaseModel):
    """How many values lie from `low` to `high`."""

    low: float
    high: float
    number: int


class Histogram(BaseModel):
    """How often the values of a score came: each value that came, if they are few and apart, else spans of them."""

    task: str
    target: str
    metric: str
    name: str
    bins: list[ValueBin]


class CallStatistics(BaseModel):
    """The calls to a target, or of a metric to its judge; a call's retries are its attempts but the last."""

    role: Role
    target: str
    metric: str
    calls: int
    outcomes: dict[CallOutcome, int]
    retries: int
    p50_seconds: float
    p95_seconds: float
    seconds: float
    prompt_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None
    cached_tokens: int | None
    first_at: datetime
    last_at: datetime


class OutputStatistics(BaseModel):
    """How many outputs there are of a target in a task, and how many are cut off or empty."""

    task: str
    target: str
    outputs: int
    truncated: int
    empty: int


class Statistics(BaseModel):
    """What can be counted of a job by now; `rate` is how many calls began in each fortieth of their time."""

    histograms: list[Histogram]
    calls: list[CallStatistics]
    rate: list[int]
    outputs: list[OutputStatistics]


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
    """Some samples; `next_cursor` is null after the last. `scores` are the names of all that the job has by now."""

    scores: list[str]
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
    """Some lines of a log; `next_cursor` is null if there are no more by now, and later ones come at `end_cursor`."""

    data: list[LoggedLine]
    next_cursor: int | None
    end_cursor: int
    total: int


class ModelUsage(BaseModel):
    """What calls to a model in a role came to; `taken_over` ones were paid for by another job, and are in that alone.

    `retries` are the attempts after the first at a call; `seconds` is the time of all calls together. A count that
    no endpoint gave is null, as is the `cost` of a model for which the settings have no prices.
    """

    model: str
    role: Role
    calls: int
    answered: int
    taken_over: int
    retries: int
    seconds: float
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    cost: float | None


class Usage(BaseModel):
    """What a job has paid so far, by model and role."""

    data: list[ModelUsage]


class File(BaseModel):
    """An upload, which a specification names as `file:ID`; `sha256` is that of its content."""

    id: str
    filename: str
    bytes: int
    line_count: int
    sha256: str
    created_at: datetime


class Files(BaseModel):
    """The uploads that are asked for, the newest first."""

    data: list[File]
