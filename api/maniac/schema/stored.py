"""What the requests for evaluators and containers hold."""

from typing import Literal

from pydantic import FiniteFloat

from api.http.fields import Text
from api.http.wire import Body
from api.maniac.schema.fields import Metadata, Name, Parameters

Mode = Literal["pointwise", "reference", "pairwise"]
Api = Literal[
    "chat.completions",
    "completions",
    "responses",
    "embeddings",
    "rerank",
    "containers",
    "models",
    "datasets",
    "evaluation",
    "optimization",
    "project.keys",
]


class EvaluatorPatch(Body):
    """What may be changed of an evaluator."""

    container: Name | None = None
    model: Name | None = None
    prompt: str | None = None
    source: str | None = None
    requirements: list[str] | None = None
    pass_threshold: FiniteFloat | None = None
    mode: Mode | None = None
    metadata: Metadata = None
    name: Name | None = None
    description: Text | None = None
    api: Api | None = None
    inference_parameters: Parameters | None = None


class EvaluatorCreate(EvaluatorPatch):
    """A new evaluator."""

    type: Literal["judge", "code"]


class ContainerPatch(Body):
    """What may be changed of a container."""

    default_model: Name | None = None
    default_parameters: Parameters | None = None
    default_system_prompt: str | None = None


class ContainerCreate(Body):
    """A new container."""

    label: Name
    initial_model: Name
    api: Api = "chat.completions"
    default_parameters: Parameters | None = None
    default_system_prompt: str | None = None
