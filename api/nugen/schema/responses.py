"""What Nugen's clients are answered."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

Status = Literal["PROCESSING", "READY", "FAILED"]
Metrics = dict[str, float | int | None]
"""Statistics by name; None where nothing was scored."""


class EvaluationCreated(BaseModel):
    """An evaluation that was just asked for."""

    evaluation_id: str
    model_id: str
    status: Status
    benchmark_id: str
    created_at: datetime
    message: str


class ModelMetrics(BaseModel):
    """The statistics of one of two models."""

    model_id: str
    metrics: Metrics


class ComparedMetric(BaseModel):
    """A statistic of both models; the improvement is in percent of the base, and 0 where that is 0."""

    metric: str
    base: float | None
    evaluated: float | None
    improvement: int | float | None = Field(serialization_alias="improvement_%")


class Improvements(BaseModel):
    """The improvements of all statistics together."""

    avg_improvement: float | None
    max_improvement: float | None
    min_improvement: float | None


class Comparison(BaseModel):
    """How two models compare."""

    metrics: list[ComparedMetric]
    summary: Improvements


class Figures(BaseModel):
    """The figures of one model (`metrics`), or those of two and how they compare."""

    metrics: Metrics | None = None
    base_model: ModelMetrics | None = None
    eval_model: ModelMetrics | None = None
    comparison: Comparison | None = None


class EvaluationStatus(BaseModel):
    """How far an evaluation is; `error` says why it failed."""

    evaluation_id: str
    status: Status
    benchmark_id: str
    progress: str
    questions_completed: int
    total_questions: int
    avg_time_per_question: float | None
    eta_seconds: int | float | None
    start_time: datetime | None
    end_time: datetime | None
    error: str | None


class EvaluationDetail(EvaluationStatus, Figures):
    """All that is known of an evaluation, but for the answers."""

    model_id: str
    model_id_2: str | None
    baseline_model_id: str | None
    evaluation_name: str | None
    judge_provider: str
    created_at: datetime


class EvaluationResults(Figures):
    """What an evaluation came to."""

    evaluation_id: str
    model_id: str
    model_id_2: str | None
    baseline_model_id: str | None
    benchmark_id: str
    status: Status
    method: Literal["eval", "eval-compare"]
    raw_answers_count: int
    created_at: datetime
    completed_at: datetime | None


class ListedEvaluation(BaseModel):
    """An evaluation in a list; without metrics before its end, and where it compares."""

    evaluation_id: str
    model_id: str
    benchmark_id: str
    status: Status
    judge_provider: str
    created_at: datetime
    metrics: Metrics | None


class EvaluationList(BaseModel):
    """Some evaluations, of `total`."""

    user_id: str
    evaluations: list[ListedEvaluation]
    total: int
    limit: int
    offset: int


class EvaluationDeleted(BaseModel):
    """An evaluation that is gone."""

    id: str
    message: str


class BenchmarkNamed(BaseModel):
    """A benchmark by its id and name, in both of the ways in which clients spell them."""

    id: str
    benchmark_id: str
    name: str
    benchmark_name: str
    status: Status


class BenchmarkCounted(BenchmarkNamed):
    """A benchmark with the number of its questions, in both spellings."""

    num_questions: int
    n_samples: int


class BenchmarkUploaded(BenchmarkCounted):
    """A benchmark that was just uploaded."""

    questions: list[dict[str, Any]]


class BenchmarkStatus(BenchmarkNamed):
    """Whether a benchmark can be used."""

    start_time: datetime
    end_time: datetime


class ListedBenchmark(BenchmarkCounted):
    """A benchmark in a list."""

    documents: list[str]
    created_at: datetime
    updated_at: datetime


class BenchmarkList(BaseModel):
    """All benchmarks, the newest first."""

    benchmarks: list[ListedBenchmark]


class Origin(BaseModel):
    """Where a benchmark came from."""

    type: Literal["upload"] = "upload"
    name: str
    description: str | None
    original_filename: str | None


class BenchmarkData(BenchmarkUploaded, ListedBenchmark):
    """A benchmark with its questions."""

    document_ids: list[str]
    s3_key: None = None
    s3_url: None = None
    source: Literal["database"] = "database"
    metadata: Origin
    error: None = None


class BenchmarkDeleted(BaseModel):
    """A benchmark that is gone."""

    id: str
    benchmark_id: str
    message: str
