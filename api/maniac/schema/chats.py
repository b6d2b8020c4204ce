"""What the requests hold that log chats, make them, and take datasets from them."""

from typing import Annotated, Any, Literal, Self

from fastapi import Body as InBody
from pydantic import BeforeValidator, Field, FiniteFloat, JsonValue, model_validator

from api.http.fields import Text
from api.http.wire import Body, Wire
from api.maniac.schema.fields import Metadata, Name, Tags, portable, refuse_keys
from core.errors import Unsupported
from core.patterns import Like


class Message(Wire):
    """A message of a chat request; the rest of it is kept as it is."""

    role: str
    content: str | list[JsonValue] | None = None


class ChatInput(Wire):
    """A chat request that was made."""

    messages: Annotated[list[Message], Field(min_length=1)]
    model: Text | None = None


class Choice(Wire):
    """One answer of a model."""

    message: Message


class ChatOutput(Wire):
    """A chat response that was given."""

    choices: Annotated[list[Choice], Field(min_length=1)]
    model: Text | None = None


class Example(Wire):
    """A completed chat, to be logged."""

    input: ChatInput
    output: ChatOutput
    tags: Tags = None
    metadata: Metadata = None


MetadataKey = Annotated[
    str, Like(r'^[^\x00"\\]*$', "a name in metadata has no quotation mark, backslash or NUL character")
]
"""What both databases can look up in JSON."""

HavingMetadata = Annotated[
    dict[MetadataKey, Text | int | FiniteFloat | bool | None] | None, BeforeValidator(portable), InBody()
]
"""What the metadata of completions shall hold; the client sends it as the body of a GET."""


class Register(Body):
    """Completed chats for a container; each is read by itself."""

    container: Name
    items: Annotated[list[JsonValue], Field(min_length=1)]


class Chat(Body, ChatInput):
    """A chat request to be made; what is not named here goes to the model."""

    container: Name | None = None
    tags: Tags = None
    metadata: Metadata = None
    store: bool | None = None
    stream: bool | None = None

    @model_validator(mode="after")
    def _has_no_keys(self) -> Self:
        refuse_keys({name: value for name, value in self.sent.items() if name not in ("messages", "metadata")})
        return self


Operator = Literal[
    "equals",
    "not_equals",
    "contains",
    "not_contains",
    "greater_than",
    "less_than",
    "greater_than_or_equal",
    "less_than_or_equal",
    "in",
    "not_in",
    "exists",
    "not_exists",
    "between",
]


class Filter(Wire):
    """What holds of a completion; `key` is a dotted path, such as `metadata.topic` or `output.usage.total_tokens`."""

    key: Name
    operator: Operator
    value: JsonValue = None


class DatasetCreate(Body):
    """A new dataset: completions of a container."""

    name: Name
    container: Name
    size: Annotated[int, Field(ge=1, le=1_000_000)]
    filters: list[Filter] | None = None
    description: Text | None = None
    tags: Tags = None
    metadata: Metadata = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_files(cls, given: Any) -> Any:
        """Raise Unsupported for what clients of NeMo's entity store ask for on the same path."""
        if isinstance(given, dict) and "files_url" in given and "container" not in given:
            raise Unsupported(
                "this service keeps no register of datasets: a config or target names files by their hf:// URL, which "
                "is read below ASSAY_DATASETS or from the hub, and nothing has to be created before"
            )
        return given
