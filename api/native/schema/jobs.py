"""Requests for jobs, and what is shown of jobs: how they stand, what they logged, what they paid."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.config import JsonDict

from api.http.fields import Text
from api.http.wire import SealedBody, Wire
from core.endpoint import SecretRef
from core.fields import KnownFields
from core.job import LONGEST_NAME, Face, Failure, Intent, JobStatus
from core.metric import MetricSpec
from core.patterns import Like
from core.result import Role
from core.retry import AskedAgain
from core.spec import EvaluationSpec

EntityName = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_NAME),
    Like(r"^[^\x00/]+$", "a name has no '/' and no NUL character (\\x00)"),
]

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
