"""A model and how it is asked: its endpoint, its prompt, and its key by reference."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, JsonValue, StringConstraints, field_validator, model_validator

from core.fields import KnownFields
from core.patterns import Like

SecretRef = Annotated[
    str, Like(r"^(env|store|model):.+$", "a key is named, as env:NAME, store:ID or model:NAME, and never given")
]
"""Where a key is kept: `env:NAME`, `store:ID` or `model:NAME`; never the key itself."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class Frozen(KnownFields):
    """A value: immutable, strict about its fields, and silent in errors about what it was given."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Endpoint(Frozen):
    """An OpenAI-style model endpoint; `url` is a base URL or that of a route.

    Without a URL the model's is looked up in the settings: `[models]`, then the default endpoint.
    """

    url: str | None = None
    model: str
    api_key: SecretRef | None = None

    @field_validator("url")
    @classmethod
    def _has_no_key(cls, url: str | None) -> str | None:
        if url and "@" in urlsplit(url).netloc:
            raise ValueError("a URL has no user or password in it; name a key by api_key, e.g. env:MY_KEY")
        return url


class Reasoning(Frozen):
    """How a model's thinking is told from its answer."""

    end_token: str = "</think>"
    include_if_unfinished: bool = False


class Prompt(Frozen):
    """A chat request (`messages`) or a completions request (`prompt`) whose strings are templates.

    Other fields of `body` are request fields, and win over the target's `generation`. The data URLs of images in
    the column `images`, one or a list, go with the last message of the user. Unless `sample_names`, templates find
    the values of the sample as `sample.<name>` alone, so that they hide no column. Unless `json_values`, what a
    template writes with `tojson` stays text, also where it is JSON and nothing else.
    """

    body: dict[str, JsonValue]
    images: str | None = None
    sample_names: bool = True
    json_values: bool = True

    @model_validator(mode="after")
    def _is_a_request(self) -> Self:
        if ("messages" in self.body) == ("prompt" in self.body):
            raise ValueError("a prompt has either 'messages' or 'prompt'")
        return self

    @property
    def route(self) -> str:
        """The path of the endpoint's route, without a leading slash."""
        return "chat/completions" if "messages" in self.body else "completions"
