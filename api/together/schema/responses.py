"""Together's wire classes of what is answered about evaluations."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from api.http.fields import JsonDict
from api.together.schema.evaluations import Kind, Status


class Created(BaseModel):
    """The answer to the request for a job."""

    workflow_id: str
    status: Literal["pending"] = "pending"


class ClassifyResults(BaseModel):
    """What a classification came to; percentages are of the rows that have a label."""

    label_counts: dict[str, int]
    pass_percentage: float
    generation_fail_count: int
    judge_fail_count: int
    invalid_label_count: int
    result_file_id: str


class AggregatedScores(BaseModel):
    """The statistics of the scores that are valid; the deviation is the population's."""

    mean_score: float | None
    std_score: float | None
    pass_percentage: float


class ScoreResults(BaseModel):
    """What scores came to; failed samples are those without a valid score."""

    aggregated_scores: AggregatedScores
    failed_samples: int
    invalid_score_count: int
    generation_fail_count: int
    judge_fail_count: int
    result_file_id: str


class CompareResults(BaseModel):
    """What a comparison came to; failures are counted by model, and by pass of the judge."""

    A_wins: int
    B_wins: int
    Ties: int
    num_samples: int
    generation_fail_count: int
    judge_fail_count: int
    result_file_id: str


class ErrorResults(BaseModel):
    """Why there are no results."""

    error: str


Results = ClassifyResults | ScoreResults | CompareResults


class StatusUpdate(BaseModel):
    """A status that a job came to, and when."""

    status: Status
    message: str
    timestamp: datetime


class EvaluationJob(BaseModel):
    """A job; the keys in its parameters are masked."""

    workflow_id: str
    type: Kind
    owner_id: str
    status: Status
    status_updates: list[StatusUpdate]
    parameters: JsonDict
    created_at: datetime
    updated_at: datetime
    results: Results | ErrorResults | None


class JobStatus(BaseModel):
    """How far a job is, and what it came to."""

    status: Status
    results: Results | ErrorResults | None


class ModelList(BaseModel):
    """The names of models that can be asked."""

    model_list: list[str]
