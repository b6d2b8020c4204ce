"""What Nugen's clients send: requests for evaluations, and the questions in a benchmark's file."""

from typing import Annotated, Final, Self

from fastapi import Query
from pydantic import (
    BaseModel,
    ConfigDict,
    StringConstraints,
    field_validator,
    model_validator,
)

from api.http.fields import NO_NUL, Text
from api.http.wire import Body
from core.patterns import Like
from tasks.templates.images import image_urls

Id = Annotated[str, StringConstraints(min_length=1, max_length=255), NO_NUL]
MetricName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), NO_NUL]
Filled = Annotated[str, Like(r"\S", "it has nothing but blanks")]
QueryId = Annotated[Text | None, Query()]


MODELS: Final = ("baseline_model_id", "model_id", "model_id_2")
"""The fields of a request that name models, the base first where two are compared."""


class Described(BaseModel):
    """What a custom metric grades, in words."""

    description: str | None = None


class CreateEvaluation(Body):
    """The request for an evaluation; it compares two models if it names a second one, or a baseline."""

    model_id: Id
    benchmark_id: Id
    model_id_2: Id | None = None
    baseline_model_id: Id | None = None
    custom_metrics: list[MetricName] | dict[MetricName, str | Described | None] | None = None
    judge_provider: Text | None = None
    evaluation_name: Text | None = None

    @model_validator(mode="after")
    def _has_one_comparison(self) -> Self:
        if self.model_id_2 and self.baseline_model_id:
            raise ValueError("give model_id_2 or baseline_model_id, not both")
        return self

    @property
    def models(self) -> list[str]:
        """The models that are asked: the base first where two are compared."""
        return [model for field in MODELS if (model := getattr(self, field)) is not None]


class Question(BaseModel):
    """A question of a benchmark; what else its author says of it is kept."""

    model_config = ConfigDict(extra="allow")

    question_num: int | None = None
    question: Filled
    answer: Filled
    image_url: str | None = None

    @field_validator("image_url")
    @classmethod
    def _can_be_sent(cls, url: str | None) -> str | None:
        image_urls(url)
        return url
