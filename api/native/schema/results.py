"""What is shown of a job's scores: their summaries, and what else can be counted."""

from datetime import datetime

from pydantic import BaseModel, JsonValue

from core.result import CallOutcome, Outcome, Role
from core.stats.words import Caution, Method, Reason


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
