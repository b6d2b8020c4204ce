"""What was said in a call to a model: its request and its answer as messages, whatever form they had; no I/O."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from core.endpoint import Reasoning
from core.result import Call
from tasks.endpoint.message import Message as Read
from tasks.endpoint.message import read_message
from tasks.endpoint.thinking import split_thinking

PROMPT: Final = "prompt"
"""The role of the text that a completions request has in the place of messages."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a message, by its size; one that is not in the request itself by its `url`."""

    media_type: str | None = None
    bytes: int | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that a model called; `arguments` is the text that it gave."""

    name: str
    arguments: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What one side said; `thinking` is apart from the text, wherever it stood in the message."""

    role: str
    text: str
    thinking: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call as a conversation: what was `sent`, with which `settings` (the request's other fields), and the `reply`.

    There is no `reply` where the answer held none; what came instead is the `response`, as it came.
    """

    call: Call
    model: str | None
    sent: tuple[Message, ...]
    settings: dict[str, Any]
    reply: Message | None
    finish_reason: str | None
    response: str | None


def read_exchange(call: Call, reasoning: Reasoning) -> Exchange:
    """Return a call as a conversation; `reasoning` says how the model's thinking is told from its answer."""
    request = orjson.loads(call.request)
    found = read_message(_parsed(call.response)) if call.response else None
    return Exchange(
        call=call,
        model=request.pop("model", None),
        sent=_sent(request),
        settings={name: value for name, value in request.items() if name not in ("messages", PROMPT)},
        reply=found and _reply(found, reasoning),
        finish_reason=found and found.finish,
        response=None if found else call.response,
    )


def _sent(request: dict[str, Any]) -> tuple[Message, ...]:
    if PROMPT in request:
        prompt = request[PROMPT]
        return (Message(PROMPT, prompt if isinstance(prompt, str) else orjson.dumps(prompt).decode()),)
    messages = request.get("messages")
    return tuple(map(_message, messages)) if isinstance(messages, list) else ()


def _message(sent: Any) -> Message:
    found = read_message({"choices": [{"message": sent}]}) if isinstance(sent, dict) else None
    if found is None:
        return Message("?", sent if isinstance(sent, str) else orjson.dumps(sent).decode())
    role, images = str(sent.get("role", "?")), tuple(_images(sent.get("content")))
    return Message(role, found.text or found.refusal, found.reasoning, _tool_calls(found), images)


def _reply(found: Read, reasoning: Reasoning) -> Message:
    parts = split_thinking(found.text, reasoning, apart=found.reasoning is not None)
    text = parts.answer or found.refusal
    return Message("assistant", text, found.reasoning or parts.thinking, _tool_calls(found))


def _tool_calls(found: Read) -> tuple[ToolCall, ...]:
    return tuple(map(_tool_call, found.tool_calls))


def _tool_call(call: Any) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    function = function if isinstance(function, dict) else call if isinstance(call, dict) else {}
    arguments = function.get("arguments", "")
    if not isinstance(arguments, str):
        arguments = orjson.dumps(arguments).decode()
    call_id = call.get("id") if isinstance(call, dict) else None
    return ToolCall(str(function.get("name", "?")), arguments, call_id if isinstance(call_id, str) else None)


def _images(content: Any) -> Iterator[Image]:
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and part.get("type") in ("image_url", "image"):
            held = part.get("image_url", part.get("image"))
            url = held.get("url") if isinstance(held, dict) else held
            yield _image(url) if isinstance(url, str) else Image()


def _image(url: str) -> Image:
    if not url.startswith("data:"):
        return Image(url=url)
    head, _, data = url.partition(",")
    return Image(head.removeprefix("data:").partition(";")[0], len(data.rstrip("=")) * 3 // 4)


def _parsed(response: str) -> Any:
    try:
        return orjson.loads(response)
    except orjson.JSONDecodeError:
        return None
