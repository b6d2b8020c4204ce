"""NeMo's wire classes of the results that clients store."""

from typing import Annotated, Literal

from pydantic import JsonValue, StringConstraints

from api.http.fields import Text
from api.http.wire import Body, Wire
from api.nemo.schema.fields import EntityName


class ScoreValue(Wire):
    """A score of a stored result, and its statistics."""

    value: float | Literal["NaN"]
    stats: dict[str, float | Literal["NaN"] | None] | None = None


class MetricScores(Wire):
    """A metric's scores in a stored result."""

    scores: dict[str, ScoreValue] | None = None


class TaskScores(Wire):
    """A task's metrics in a stored result."""

    data: dict[str, JsonValue] | None = None
    metrics: dict[str, MetricScores] | None = None


class GroupScores(Wire):
    """A group's metrics in a stored result."""

    metrics: dict[str, MetricScores] | None = None
    groups: dict[str, "GroupScores"] | None = None


class ResultUpdate(Body):
    """What shall change of a stored result; what is absent or null stays as it is."""

    job: Annotated[Text, StringConstraints(min_length=1)] | None = None
    namespace: EntityName | None = None
    project: Text | None = None
    description: Text | None = None
    files_url: Text | None = None
    tasks: dict[str, TaskScores] | None = None
    groups: dict[str, GroupScores] | None = None
    custom_fields: dict[str, JsonValue] | None = None
    ownership: dict[str, JsonValue] | None = None


class ResultCreate(ResultUpdate):
    """The result of an evaluation, to be stored."""

    job: Annotated[Text, StringConstraints(min_length=1)]
