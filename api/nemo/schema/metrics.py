"""NeMo's wire classes of metrics."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from api.http.wire import Wire
from api.nemo.schema.fields import Filled, Key, Template, TextOr, type_of
from api.nemo.schema.targets import Model


class CheckParams(Wire):
    """Left side, operator, right side; an absolute difference also has the word epsilon and how much it may be."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    check: Annotated[list[str], Field(min_length=3, max_length=5)]


class Check(Wire):
    """Compares two strings, or two numbers."""

    type: Literal["string-check", "number-check"]
    params: CheckParams


class BleuParams(Wire):
    """Templates of what is compared; the candidate is the output unless it is given."""

    references: Annotated[list[str], Field(min_length=1)] | None = None
    candidate: str | None = None


class Bleu(Wire):
    """Compares the output with references."""

    type: Literal["bleu"]
    params: BleuParams | None = None


class ReferenceParams(Wire):
    """Templates of what is compared; the candidate, or prediction, is the output unless it is given."""

    ground_truth: str | None = None
    candidate: str | None = None
    prediction: str | None = None


class Similarity(Wire):
    """Compares the output with a reference."""

    type: Literal["rouge", "em", "exact-match", "f1", "accuracy"]
    params: ReferenceParams | None = None


class ToolCallingParams(Wire):
    """A template of the calls that should be made."""

    tool_calls_ground_truth: str


class ToolCalling(Wire):
    """Compares the model's tool calls with those that it should make."""

    type: Literal["tool-calling"]
    params: ToolCallingParams


class RegexParser(Wire):
    """Reads the number in group 1 of a pattern."""

    type: Literal["regex"]
    pattern: str
    method: Literal["match", "search"] | None = None


class JsonParser(Wire):
    """Reads the number under a key of a JSON object."""

    type: Literal["json"]
    json_path: Filled


class JudgeScore(Wire):
    """A number that a judge gives."""

    parser: Annotated[RegexParser | JsonParser, Field(discriminator="type")]


class JudgeParams(Wire):
    """Who judges, what it is asked, and how its answer is read."""

    model: TextOr[Model]
    template: Template
    scores: Annotated[dict[Key, JudgeScore], Field(min_length=1)]


class LlmJudge(Wire):
    """Has a model grade the outputs."""

    type: Literal["llm-judge"]
    params: JudgeParams


class OtherMetric(Wire):
    """A metric of any other type."""

    type: str


METRIC_FORMS: Final[Mapping[str, str]] = {
    "accuracy": "similarity",
    "bleu": "bleu",
    "em": "similarity",
    "exact-match": "similarity",
    "f1": "similarity",
    "llm-judge": "judge",
    "number-check": "check",
    "rouge": "similarity",
    "string-check": "check",
    "tool-calling": "tool-calling",
}
"""The types of metrics, and by which class each is read."""


def _metric_form(value: object) -> str:
    return METRIC_FORMS.get(type_of(value), "other")


Metric = Annotated[
    Annotated[Check, Tag("check")]
    | Annotated[Bleu, Tag("bleu")]
    | Annotated[Similarity, Tag("similarity")]
    | Annotated[ToolCalling, Tag("tool-calling")]
    | Annotated[LlmJudge, Tag("judge")]
    | Annotated[OtherMetric, Tag("other")],
    Discriminator(_metric_form),
]
