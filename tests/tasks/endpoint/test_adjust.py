"""Refusals of one field, in the words of the servers that were met, and what is sent after them."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from tasks.endpoint.loop import IoLoop, JobLimit, Policy, Reply, Route
from tests.scripted import Answer, Received, ScriptedEndpoint, failure, text

FIELDS = {"max_tokens": 32768, "temperature": 0.05, "top_p": 1, "stop": ["\n"]}
CHAT = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]}
FOLDED = [{"role": "user", "content": "Be brief.\n\nWhy?"}]


@pytest.fixture
def loop() -> Iterator[IoLoop]:
    loop = IoLoop(Policy(private=True))
    yield loop
    loop.close()


def ask(loop: IoLoop, endpoint: ScriptedEndpoint, **fields: Any) -> Reply:
    prompt = fields if "prompt" in fields else CHAT | fields
    route = Route(f"{endpoint.url}/chat/completions", "m", timeout_s=30.0, max_retries=0)
    request = orjson.dumps({"model": "m", **prompt})
    return loop.run(loop.ask(route, request, limit=JobLimit(1), role="target"))


def refusing(answer: Answer, once: bool = True) -> Any:
    refused: list[Received] = []

    def script(call: Received) -> Answer:
        if once and refused:
            return text("ok", path=call["path"])
        refused.append(call)
        return answer

    return script


def openai(param: str, message: str, code: str = "unsupported_parameter") -> Answer:
    return Answer(orjson.dumps({"error": {"message": message, "param": param, "code": code}}), 400)


VLLM = (
    "'max_tokens' or 'max_completion_tokens' is too large: 32768. This model's maximum context length is 8192 tokens "
    "and your request has 90 input tokens (32768 > 8192 - 90)."
)
RENAMED = {"max_completion_tokens": 32768, "max_tokens": None}


@pytest.mark.parametrize(
    ("refusal", "sent"),
    [
        (openai("max_tokens", "Unsupported parameter: 'max_tokens' is not supported with this model."), RENAMED),
        (failure(400, "invalid temperature: only 1 is allowed for this model"), {"temperature": None}),
        (failure(400, "Argument not supported on this model: stop"), {"stop": None}),
        (failure(400, "Use 'max_completion_tokens' instead of max_tokens: it is not supported"), RENAMED),
        (failure(400, "max_tokens is too large: 32768. This model supports at most 16384 completion tokens"),
            {"max_tokens": 16384}),
        (failure(400, "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"), {"max_tokens": 8192}),
        (failure(400, "max_tokens: 32768 > 8192, which is the maximum allowed number of output tokens for "
            "claude-3-5-sonnet-20241022"), {"max_tokens": 8192}),
        (failure(400, "it has a maxOutputTokens value of 32768 but the supported range is from 1 (inclusive) to 8193 "
            "(exclusive)"), {"max_tokens": 8192}),
        (failure(400, "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less "
            "than the `context_window` for this model"), {"max_tokens": 8192}),
        (failure(400, "The maximum tokens you requested exceeds the model limit of 4096."), {"max_tokens": 4096}),
        (failure(400, VLLM), {"max_tokens": None}),
        (failure(422, "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 90 `inputs` tokens and 32768 "
            "`max_new_tokens`"), {"max_tokens": None}),
        (failure(400, "This model's maximum context length is 8192 tokens. However, you requested 40858 tokens (8090 "
            "in the messages, 32768 in the completion)."), {"max_tokens": None}),
        (openai("temperature", "Unsupported value: 'temperature' does not support 0.05 with this model.",
            "unsupported_value"), {"temperature": None}),
        (failure(400, "`temperature` and `top_p` cannot both be specified for this model."), {"top_p": None}),
        (failure(422, "Input validation error: `top_p` must be > 0.0 and < 1.0"), {"top_p": None}),
        (openai("stop", "Unsupported parameter: 'stop' is not supported with this model."), {"stop": None}),
        (Answer(b'{"detail":[{"type":"extra_forbidden","loc":["body","stop"],"msg":"Extra inputs are not permitted"}]}',
            422), {"stop": None}),
        (failure(400, "System role not supported"), {"messages": FOLDED}),
        (failure(424, "Conversation roles must alternate user/assistant/user/assistant/..."), {"messages": FOLDED}),
        (failure(400, "Developer instruction is not enabled for models/gemma-3-27b-it"), {"messages": FOLDED}),
        (failure(400, "Requested token count exceeds the model's maximum of 4096 tokens."), {"max_tokens": 4096}),
        (failure(400, "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested "
            "a total of 40858 tokens: 8090 tokens from the input messages and 32768 tokens for the completion. Please "
            "reduce the number of tokens in the input messages or the completion to fit within the limit."),
            {"max_tokens": None}),
        (openai("messages[0].role", "'messages[0].role' does not support 'system' with this model."),
            {"messages": FOLDED}),
    ],
)  # fmt: skip
def test_a_field_that_is_refused_is_changed_once_remembered_and_noted(
    loop: IoLoop, endpoint: ScriptedEndpoint, refusal: Answer, sent: dict[str, Any]
) -> None:
    endpoint.script = refusing(refusal)
    replies = [ask(loop, endpoint, **FIELDS) for _ in range(2)]
    expected = {name: value for name, value in ({"model": "m"} | CHAT | FIELDS | sent).items() if value is not None}
    bodies = [call["body"] for call in endpoint.calls]
    assert bodies[1:] == [expected, expected]
    assert [(reply.outcome, reply.attempts) for reply in replies] == [("answered", 2), ("answered", 1)]
    [note] = {note for reply in replies for _, note in reply.notes}
    assert "since the endpoint says: " in note


@pytest.mark.parametrize(
    "refusal",
    [
        failure(400, "no such model"),
        failure(401, "temperature is not supported"),
        failure(400, "Unsupported parameter: 'n' is not supported"),
        failure(400, "please stop, user: the seed of doubt"),
        failure(400, "This model's maximum context length is 8192 tokens, your messages have 9000 tokens."),
    ],
)
def test_a_refusal_of_anything_else_stands(loop: IoLoop, endpoint: ScriptedEndpoint, refusal: Answer) -> None:
    endpoint.script = lambda _: refusal
    assert ask(loop, endpoint, **FIELDS).outcome == "error"
    assert len(endpoint.calls) == 1


def test_a_limit_that_the_model_takes_is_left_alone(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    endpoint.script = refusing(failure(400, VLLM))
    ask(loop, endpoint, max_tokens=32768)
    reply = ask(loop, endpoint, max_tokens=100)
    assert [call["body"].get("max_tokens") for call in endpoint.calls] == [32768, None, 100]
    assert reply.notes == ()


def test_a_completion_gets_what_its_own_prompt_leaves(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    endpoint.script = lambda call: failure(400, VLLM) if call["body"]["max_tokens"] > 8102 else text("ok")
    for _ in range(2):
        assert ask(loop, endpoint, prompt="Why?", max_tokens=32768).outcome == "answered"
    assert [call["body"]["max_tokens"] for call in endpoint.calls] == [32768, 8102] * 2


def test_of_fields_that_are_refused_without_a_name_the_rarest_go_first(
    loop: IoLoop, endpoint: ScriptedEndpoint
) -> None:
    refusal = failure(404, "No endpoints found that can handle the requested parameters. To learn more, visit the docs")
    endpoint.script = lambda call: refusal if {"min_p", "seed"} & call["body"].keys() else text("ok")
    replies = [ask(loop, endpoint, **FIELDS, seed=1, min_p=0.1) for _ in range(2)]
    assert [(reply.outcome, reply.attempts) for reply in replies] == [("answered", 3), ("answered", 1)]
    assert endpoint.calls[-1]["body"] == {"model": "m", **CHAT, **FIELDS}
    assert {field for field, _ in replies[0].notes} == {"min_p", "seed"}


def test_several_fields_are_changed_one_by_one_and_what_is_refused_for_ever_is_an_error(
    loop: IoLoop, endpoint: ScriptedEndpoint
) -> None:
    def script(call: Received) -> Answer:
        unknown = next((name for name in FIELDS if name in call["body"]), None)
        return openai(unknown, f"Unsupported parameter: '{unknown}' is not supported") if unknown else failure(400, "x")

    endpoint.script = script
    reply = ask(loop, endpoint, **FIELDS)
    assert (reply.outcome, reply.error, reply.attempts) == ("error", "HTTP 400: x", 5)
    assert endpoint.calls[-1]["body"] == {"model": "m", **CHAT, "max_completion_tokens": 32768}
