"""What the native API shows of one sample: the conversations and grades of `tasks.samples`, in the same words."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, JsonValue

from api.native.schema.samples import SampleScore
from core.result import CallOutcome, Outcome


class Shown(BaseModel):
    """What is read off the core's values by their attributes."""

    model_config = ConfigDict(from_attributes=True)


class Tokens(BaseModel):
    """Tokens as the endpoint counted them; null where it did not say."""

    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None


class Image(Shown):
    """An image by its size in bytes, or one elsewhere by its URL."""

    media_type: str | None
    bytes: int | None
    url: str | None


class ToolCall(Shown):
    """A function that a model called, with its arguments as the text that it gave."""

    id: str | None
    name: str
    arguments: str


class Message(Shown):
    """What one side said; its thinking is apart from the text."""

    role: str
    text: str
    thinking: str | None
    tool_calls: list[ToolCall]
    images: list[Image]


class Exchange(BaseModel):
    """A call to a model: what was sent and what came back; `ordinal` counts those of a judge that compares twice.

    Without a `reply`, `response` is what came instead. A call that was taken over from another job names that as
    `paid_by`. `settings` are the request's other fields.
    """

    model: str | None
    ordinal: int
    outcome: CallOutcome
    error: str | None
    status: int | None
    settings: dict[str, JsonValue]
    sent: list[Message]
    reply: Message | None
    finish_reason: str | None
    response: str | None
    started_at: datetime | None
    seconds: float
    attempts: int
    usage: Tokens
    paid_by: str | None


class MetricOfOutput(BaseModel):
    """What a metric made of an output: the texts that it `compared` or the exchanges with its judge, and its scores."""

    metric: str
    type: str
    compared: dict[str, JsonValue]
    exchanges: list[Exchange]
    scores: list[SampleScore]


class OutputOfSample(BaseModel):
    """What became of a sample with one target in one trial; no `exchange` where the output was in the dataset."""

    target: str
    trial: int
    model: str | None
    is_reference: bool
    output: str | None
    reasoning: str | None
    finish_reason: str | None
    truncated: bool
    empty: bool
    outcome: Outcome
    error: str | None
    exchange: Exchange | None
    metrics: list[MetricOfOutput]


class WholeSample(BaseModel):
    """A sample with all that came of it, by target and trial."""

    job: str
    task: str
    sample: int
    item: dict[str, JsonValue]
    outputs: list[OutputOfSample]
