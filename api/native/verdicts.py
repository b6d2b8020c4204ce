"""The verdicts of people: what is asked of the routes, and kept."""

from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from api.http.state import State
from api.native.schema import Text
from core.errors import InvalidInput
from core.job import utcnow
from core.verdict import LONGEST_NOTE, Verdict
from tasks.sample import sample_detail

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


def to_kept(verdict: Verdict) -> KeptVerdict:
    """Return a verdict as the API shows it."""
    return KeptVerdict(**{name: getattr(verdict, name) for name in KeptVerdict.model_fields})


def keep(state: State, job_id: str, given: VerdictGiven) -> Verdict:
    """Keep a verdict, in the place of an earlier one on the same.

    Raises NotFound for an output that there is not, Conflict before it is generated, and InvalidInput for a metric
    that its task does not have.
    """
    detail = sample_detail(state.folder(job_id), given.task, given.sample, target=given.target, trial=given.trial)
    known = [each.metric.name for each in detail.outputs[0].metrics]
    if given.metric not in known:
        raise InvalidInput(f"there is no metric {given.metric!r}; metrics: {', '.join(known)}")
    verdict = Verdict(job_id=job_id, **given.model_dump(), updated_at=utcnow())
    state.verdicts.put(verdict)
    return verdict


def take_back(state: State, job_id: str, on: VerdictOn) -> None:
    """Take back what was said; where nothing was said, nothing changes."""
    state.verdicts.drop(Verdict(job_id=job_id, **on.model_dump(), updated_at=utcnow()))
