"""What is shown of samples: each in a row, of which there are pages and files."""

from typing import Literal

from pydantic import BaseModel, JsonValue

from core.result import Outcome

Format = Literal["json", "jsonl", "csv", "parquet"]


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
