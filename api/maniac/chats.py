"""Chat requests and responses as values: what is sent on, what is logged, and what is shown of it."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, Final

import orjson

from api.http.fields import JsonDict
from api.maniac.lists import to_time
from api.maniac.schema import responses as wire
from api.maniac.schema.chats import Chat, Example
from api.maniac.stored import without_keys
from store.db.completions import Completion, NewCompletion
from store.db.entities import Entity

OWN_FIELDS: Final = frozenset(
    {"container", "model", "models", "tags", "metadata", "store", "stream", "stream_options", "trace"}
)
"""The fields of a chat request that are for the service and not for the model."""


def to_request(asked: Chat, container: Entity | None) -> JsonDict:
    """Return what a model is asked, but for its name: the request over the defaults of its container."""
    given = _for_model(asked)
    if container is None:
        return given
    prompt = container.body["default_system_prompt"]
    messages = with_system(given["messages"], prompt) if prompt else given["messages"]
    return {**(container.body["default_parameters"] or {}), **given, "messages": messages}


def with_system(messages: Sequence[JsonDict], prompt: str) -> list[JsonDict]:
    """Return messages that begin with a system message: their own, or `prompt`."""
    if messages[0]["role"] == "system":
        return list(messages)
    return [{"role": "system", "content": prompt}, *messages]


def to_log(asked: Chat, answer: JsonDict, model: str) -> NewCompletion:
    """Return what is logged of a chat, in the words of the client and without the defaults of the container."""
    return NewCompletion(
        input=_for_model(asked),
        output=answer,
        model=model,
        tags=asked.tags,
        metadata=asked.metadata and without_keys(asked.metadata),
    )


def to_logged(example: Example, item: Mapping[str, Any]) -> NewCompletion:
    """Return what is logged of an example; `item` is that as it was sent."""
    given = item["input"]
    kept = without_keys({name: value for name, value in given.items() if name != "messages"})
    return NewCompletion(
        input={**kept, "messages": given["messages"]},
        output=item["output"],
        model=example.output.model or example.input.model,
        tags=example.tags,
        metadata=example.metadata and without_keys(example.metadata),
    )


def to_completion(logged: Completion, labels: Mapping[str, str]) -> wire.Completion:
    """Return a logged completion as it is shown; `labels` are those of containers, by id."""
    return wire.Completion(
        id=logged.id,
        created=int(logged.created_at.replace(tzinfo=UTC).timestamp()),
        model=logged.model,
        container=labels.get(logged.container),
        input=logged.input,
        choices=logged.output["choices"],
        usage=logged.output.get("usage"),
        tags=logged.tags,
        metadata=logged.metadata,
    )


def to_record(logged: Completion) -> JsonDict:
    """Return a logged completion as the filters of datasets see it."""
    return {
        "id": logged.id,
        "model": logged.model,
        "created_at": to_time(logged.created_at),
        "tags": logged.tags,
        "metadata": logged.metadata,
        "input": logged.input,
        "output": logged.output,
    }


def text_of(output: Mapping[str, Any]) -> str:
    """Return the text of a chat response, as `message_text` does."""
    choice = output["choices"][0]
    return message_text(choice.get("message") or {"content": choice.get("text")})


def message_text(message: Mapping[str, Any]) -> str:
    """Return the text of a message; one that only calls tools is the JSON of its calls."""
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    if not content and message.get("tool_calls"):
        return orjson.dumps(message["tool_calls"]).decode()
    return content if isinstance(content, str) else ""


def conversation(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return a conversation as a text, each message under its role."""
    return "\n\n".join(f"{message['role']}:\n{message_text(message)}" for message in messages)


def _for_model(asked: Chat) -> JsonDict:
    """Return those of a request's fields that a model is sent."""
    return {name: value for name, value in asked.sent.items() if name not in OWN_FIELDS and value is not None}
