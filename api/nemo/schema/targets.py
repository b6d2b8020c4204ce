"""NeMo's wire classes of targets: models, files and rows."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from api.http.fields import Text
from api.http.wire import Wire
from api.nemo.schema.fields import Filled, FilledText, Limit, TextOr
from core.patterns import Like


class Sampling(Wire):
    """How a model shall choose its words; all go into the request as they are."""

    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    stop: str | list[str] | None = None


class ApiEndpoint(Wire):
    """Where a model answers: a base URL or that of a route."""

    url: Annotated[str, Like(r"^[Hh][Tt][Tt][Pp][Ss]?://", "a URL begins with http:// or https://")]
    model_id: FilledText
    api_key: str | None = None
    format: Literal["nim", "openai", "lama_stack"] | None = None


class ReasoningParams(Wire):
    """How much a model thinks, and how its thinking is told from its answer."""

    effort: str | None = None
    end_token: Filled | None = None
    include_if_not_finished: bool | None = None


class PromptData(Wire):
    """What a model is told with every request."""

    system_prompt: str | None = None
    inference_params: Sampling | None = None
    reasoning_params: ReasoningParams | None = None


class Dataset(Wire):
    """Files of samples; `format` is often that of their content, such as SQuAD."""

    files_url: Filled
    format: str | None = None
    limit: Limit | None = None
    split: str | None = None
    hf_endpoint: str | None = None


class CachedOutputs(Wire):
    """Files of samples with their outputs."""

    files_url: Filled


class Model(Wire):
    """A model, as target or as judge; a target's outputs may be there already, in the place of an endpoint."""

    api_endpoint: ApiEndpoint | None = None
    prompt: PromptData | None = None
    cached_outputs: CachedOutputs | None = None


class Entity(Wire):
    """What may carry a name for display."""

    name: Text | None = None
    namespace: Text | None = None


class Target(Entity):
    """The system under test; the part that `type` names holds it."""

    type: Literal["model", "cached_outputs", "retriever", "rag", "rows", "dataset"]
    model: TextOr[Model] | None = None
    rows: Annotated[list[dict[str, JsonValue]], Field(min_length=1)] | None = None
    dataset: TextOr[Dataset] | None = None
    cached_outputs: CachedOutputs | None = None
