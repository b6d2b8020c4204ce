from typing import Any

import orjson
import pytest

from core.endpoint import Reasoning
from core.result import Call, CallKey
from tasks.samples.conversation import Exchange, Image, Message, ToolCall, read_exchange

KEY = CallKey("qa", 0, "target", 0, "target", "", 0)
PICTURE = "data:image/png;base64,aGVsbG8="
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"x":1}'}}


def exchange(request: dict[str, Any], response: object = None) -> Exchange:
    body = response if isinstance(response, str | None) else orjson.dumps(response).decode()
    call = Call(KEY, "answered", request=orjson.dumps(request).decode(), response=body)
    return read_exchange(call, Reasoning())


def answer(**message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", **message}, "finish_reason": "stop"}]}


def test_a_chat_request_is_its_messages_beside_its_other_fields() -> None:
    told = {"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
    found = exchange({"model": "m", "messages": told, "temperature": 0.5}, answer(content="Hello"))
    assert (found.model, found.settings) == ("m", {"temperature": 0.5})
    assert found.sent == (Message("system", "Be brief."), Message("user", "Hi"))
    assert (found.reply, found.finish_reason) == (Message("assistant", "Hello"), "stop")


def test_a_completions_request_is_one_text() -> None:
    found = exchange({"model": "m", "prompt": "Once"}, {"choices": [{"text": " upon", "finish_reason": "length"}]})
    assert found.sent == (Message("prompt", "Once"),)
    assert (found.reply, found.finish_reason) == (Message("assistant", " upon"), "length")


def test_images_are_told_by_their_size_and_never_repeated() -> None:
    parts = [
        {"type": "text", "text": "Which?"},
        {"type": "image_url", "image_url": {"url": PICTURE}},
        {"type": "image_url", "image_url": "https://img.example/a.png"},
    ]
    (message,) = exchange({"messages": [{"role": "user", "content": parts}]}).sent
    assert message.text == "Which?"
    assert message.images == (Image("image/png", len(b"hello")), Image(url="https://img.example/a.png"))


@pytest.mark.parametrize(
    "said", [answer(content="<think>hm</think>Paris"), answer(content="Paris", reasoning_content="hm")]
)
def test_thinking_is_apart_from_the_reply_wherever_it_came(said: dict[str, Any]) -> None:
    reply = exchange({"messages": []}, said).reply
    assert reply
    assert (reply.text.strip(), reply.thinking) == ("Paris", "hm")


def test_calls_of_tools_are_shown_where_they_were_made_and_where_they_are_sent_back() -> None:
    history = [{"role": "assistant", "content": None, "tool_calls": [CALL]}, {"role": "tool", "content": "42"}]
    found = exchange({"messages": history, "tools": [{"type": "function"}]}, answer(content=None, tool_calls=[CALL]))
    called = (ToolCall("find", '{"x":1}', "c1"),)
    assert found.sent == (Message("assistant", "", tool_calls=called), Message("tool", "42"))
    assert found.reply == Message("assistant", "", tool_calls=called)
    assert found.settings == {"tools": [{"type": "function"}]}


@pytest.mark.parametrize("response", ["<html>busy</html>", '{"error":{"message":"no"}}', None])
def test_what_is_no_answer_stands_as_it_came(response: str | None) -> None:
    found = exchange({"messages": ["odd"]}, response)
    assert (found.reply, found.response) == (None, response)
    assert found.sent == (Message("?", "odd"),)
