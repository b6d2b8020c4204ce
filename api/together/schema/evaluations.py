"""Together's wire classes of requests for evaluations.

They are read leniently: keys that are not named here are left alone, and an explicit null is a field left out.
"""

from collections.abc import Sequence
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
)

from api.http.fields import NO_NUL
from api.http.wire import Body, Wire

Source = Literal["serverless", "dedicated", "external"]

Text = Annotated[str, StringConstraints(min_length=1), NO_NUL]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""The command line splits its labels at commas and leaves the blanks."""

Number = Annotated[float, Field(allow_inf_nan=False)]
Tokens = Annotated[int, Field(ge=1)]
Temperature = Annotated[float, Field(ge=0, le=2)]


class Model(Wire):
    """A model: which, where it answers, and how it is asked."""

    model: Annotated[Text, Field(validation_alias=AliasChoices("model", "model_name"))]
    model_source: Source | None = None
    system_template: str
    external_api_token: str | None = None
    external_base_url: str | None = None
    num_workers: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Tokens | None = None
    temperature: Temperature | None = None

    @field_validator("external_base_url")
    @classmethod
    def _can_be_asked(cls, url: str | None) -> str | None:
        if not url:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("give a whole URL, such as https://api.mistral.ai/v1")
        if "@" in parts.netloc:
            raise ValueError("a URL has no user or password in it; give the key as external_api_token")
        return url


class EvaluatedModel(Model):
    """A model whose outputs are made for the evaluation."""

    input_template: str


def _form(value: object) -> str | None:
    """Tell a column from a model, by tags that are no field's name: errors leave out what is not in the request."""
    match value:
        case str():
            return "a column"
        case dict() | EvaluatedModel():
            return "a model"
    return None


ModelOrColumn = Annotated[
    Annotated[Text, Tag("a column")] | Annotated[EvaluatedModel, Tag("a model")],
    Discriminator(
        _form,
        custom_error_type="model_or_column",
        custom_error_message="give the name of a column of the file that has the outputs, or a model as an object",
    ),
]


class Parameters(Wire):
    """What every evaluation has: a file of samples, and a judge."""

    judge: Model
    input_data_file_path: Text


class ClassifyParameters(Parameters):
    """The judge gives each output one of the labels."""

    labels: Annotated[list[Label], Field(min_length=2)]
    pass_labels: Annotated[list[Label], Field(min_length=1)]
    model_to_evaluate: ModelOrColumn

    @field_validator("labels")
    @classmethod
    def _differ(cls, labels: list[str]) -> list[str]:
        if len(set(labels)) < len(labels):
            raise ValueError("a label stands more than once")
        return labels

    @field_validator("pass_labels")
    @classmethod
    def _are_labels(cls, passing: list[str], info: ValidationInfo) -> list[str]:
        labels: Sequence[str] = info.data.get("labels", passing)
        if unknown := [label for label in passing if label not in labels]:
            raise ValueError(f"{unknown[0]!r} is none of the labels: {', '.join(labels)}")
        return passing


class ScoreParameters(Parameters):
    """The judge gives each output a number."""

    min_score: Number
    max_score: Number
    pass_threshold: Number
    model_to_evaluate: ModelOrColumn

    @field_validator("max_score")
    @classmethod
    def _is_above(cls, highest: float, info: ValidationInfo) -> float:
        if highest <= info.data.get("min_score", float("-inf")):
            raise ValueError("max_score must be greater than min_score")
        return highest

    @field_validator("pass_threshold")
    @classmethod
    def _is_within(cls, threshold: float, info: ValidationInfo) -> float:
        if not info.data.get("min_score", threshold) <= threshold <= info.data.get("max_score", threshold):
            raise ValueError("pass_threshold must lie between min_score and max_score")
        return threshold


class CompareParameters(Parameters):
    """The judge prefers one of two outputs."""

    model_a: ModelOrColumn
    model_b: ModelOrColumn
    disable_position_bias_correction: bool | None = None


class ClassifyRequest(Body):
    """The request for a classification."""

    type: Literal["classify"]
    parameters: ClassifyParameters


class ScoreRequest(Body):
    """The request for scores."""

    type: Literal["score"]
    parameters: ScoreParameters


class CompareRequest(Body):
    """The request for a comparison."""

    type: Literal["compare"]
    parameters: CompareParameters


EvaluationRequest = Annotated[ClassifyRequest | ScoreRequest | CompareRequest, Field(discriminator="type")]

Kind = Literal["classify", "score", "compare"]
Status = Literal["pending", "queued", "running", "completed", "error", "user_error"]
"""The oldest client raises on any other word."""

ID: Final = "eval-[0-9a-f]{4,}-[0-9]+"
