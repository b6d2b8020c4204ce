"""What the requests for evaluation runs hold."""

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from api.http.wire import Body, Wire
from api.maniac.schema.fields import Metadata, Name

RANGE: Final = re.compile(r"(\d{1,9}):(\d{1,9})")
DEFAULT_RANGE: Final = "0:100"


def _check_range(text: str) -> str:
    match = RANGE.fullmatch(text)
    if match is None or int(match[1]) >= int(match[2]):
        raise ValueError(f"{text!r} is no range; write START:STOP, such as {DEFAULT_RANGE}")
    return text


class Source(Wire):
    """Where one side of an evaluation comes from; `range` is half-open."""

    range: Annotated[str, AfterValidator(_check_range)] | None = None

    @property
    def whole_range(self) -> str:
        """The range, also where none was given."""
        return self.range or DEFAULT_RANGE

    @property
    def places(self) -> tuple[int, int]:
        """The first place, and the one after the last."""
        start, stop = self.whole_range.split(":")
        return int(start), int(stop)


class DatasetSource(Source):
    """The rows of a dataset."""

    type: Literal["dataset"]
    dataset: Name


class ContainerSource(Source):
    """What is logged in a container."""

    type: Literal["container"]
    container: Name


class GenerateSource(Source):
    """What models answer to the requests of the other side."""

    type: Literal["generate"]
    models: Annotated[list[Name], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        if len(set(self.models)) < len(self.models):
            raise ValueError("a model stands more than once")
        return self


DataSource = Annotated[DatasetSource | ContainerSource | GenerateSource, Field(discriminator="type")]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class RunCreate(Body):
    """A new evaluation run; older clients say `models` and `dataset` in the place of the two sources."""

    container: Name
    evaluators: Annotated[list[Name], Field(min_length=1), BeforeValidator(_as_list)]
    sample: DataSource | None = None
    ground_truth: DataSource | None = None
    metadata: Metadata = None
    environment: str | None = "main"

    @model_validator(mode="before")
    @classmethod
    def _read_older(cls, body: Any) -> Any:
        match body:
            case {"models": list(models)} if not body.get("sample"):
                body = {**body, "sample": {"type": "generate", "models": models}}
        match body:
            case {"dataset": str(dataset)} if not body.get("ground_truth"):
                body = {**body, "ground_truth": {"type": "dataset", "dataset": dataset}}
        return body
