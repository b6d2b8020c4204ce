"""The verdicts of people on outputs."""

from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from api.http.fields import Text
from core.verdict import LONGEST_NOTE

EXAMPLE: Final[JsonDict] = {
    "task": "qa",
    "sample": 5,
    "target": "large-2",
    "metric": "quality",
    "passed": False,
    "note": "It is Rome.",
}


class VerdictOn(BaseModel):
    """What a verdict is on: an output, and what a metric is about."""

    model_config = ConfigDict(extra="forbid")

    task: Text
    sample: Annotated[int, Field(ge=0)]
    target: Text
    trial: Annotated[int, Field(ge=0)] = 0
    metric: Text


class VerdictGiven(VerdictOn):
    """What a person says of an output on what a metric is about: whether it passes, its label, its value, or a note."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    passed: bool | None = None
    label: Annotated[Text, Field(max_length=1_000)] | None = None
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    note: Annotated[Text, Field(max_length=LONGEST_NOTE)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.passed, self.label, self.value, self.note) == (None, None, None, None):
            raise ValueError("it says nothing: give passed, label, value or note, or DELETE it")
        return self


class KeptVerdict(BaseModel):
    """A verdict as it is kept: the last of those on the same."""

    task: str
    sample: int
    target: str
    trial: int
    metric: str
    passed: bool | None
    label: str | None
    value: float | None
    note: str | None
    updated_at: datetime


class KeptVerdicts(BaseModel):
    """The verdicts on a job's outputs, by task and sample."""

    data: list[KeptVerdict]
