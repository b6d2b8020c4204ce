"""What servers send, each as it was met, and what comes of it: outcome, text, tokens, and how often they are asked."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from core.endpoint import Reasoning
from core.result import Call, CallKey, CallOutcome, Usage
from tasks.endpoint.loop import IoLoop, JobLimit, Policy, Reply, Route
from tasks.endpoint.reply import to_output
from tests.scripted import Answer, ScriptedEndpoint

SOON = {"retry-after-ms": "1"}
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
SSE = {"content-type": "text/event-stream"}


@pytest.fixture(scope="module")
def loop() -> Iterator[IoLoop]:
    loop = IoLoop(Policy(private=True))
    yield loop
    loop.close()


def sent(body: Any, status: int = 200, kind: str = "application/json") -> Answer:
    return Answer(body if isinstance(body, bytes) else orjson.dumps(body), status, SOON | {"content-type": kind})


def choice(message: Any, finish: Any = "stop", **fields: Any) -> Answer:
    return sent({"choices": [{"index": 0, "message": message, "finish_reason": finish, **fields}], "usage": USAGE})


def said(content: Any, finish: Any = "stop", **fields: Any) -> Answer:
    return choice({"role": "assistant", "content": content, **fields}, finish)


def events(*chunks: Any, end: bytes = b"data: [DONE]\n\n") -> Answer:
    return Answer(b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks) + end, headers=SOON | SSE)


def piece(delta: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **fields}


COUNTED = Usage(11, 7, 18)


@dataclass(frozen=True)
class Met:
    """A server's answers, the last one again and again, and what must come of them."""

    server: str
    quirk: str
    answers: tuple[Answer, ...]
    text: str | None = "42"
    outcome: CallOutcome = "answered"
    requests: int = 1
    usage: Usage | None = COUNTED
    output: dict[str, Any] = field(default_factory=dict)
    error: str = ""


GOOD = said("42")
TWICE = Usage(22, 14, 36)
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}

ANSWERED = [
    Met("OpenAI", "a plain answer", (GOOD,), output={"finish_reason": "stop", "truncated": False}),
    Met("OpenAI", "a plain completion", (sent({"choices": [{"text": "42"}], "usage": USAGE}),)),
    Met("Mistral", "parts, with thinking among them",
        (said([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "42"}]),),
        output={"reasoning": "hm"}),
    Met("LiteLLM", "thinking blocks", (said("42", thinking_blocks=[{"type": "thinking", "thinking": "hm"}]),),
        output={"reasoning": "hm"}),
    Met("OpenRouter", "details of reasoning",
        (said("42", reasoning=None, reasoning_details=[{"type": "reasoning.summary", "summary": "hm"}]),),
        output={"reasoning": "hm"}),
    Met("vLLM", "the text at which it was to stop", (choice({"content": "42"}, "stop", stop_reason="error"),)),
    Met("vLLM", "a reasoning field", (said("42", reasoning_content="hm"),), output={"reasoning": "hm"}),
    Met("llama.cpp", "thinking in the text", (said("<think>hm</think>\n\n42"),), output={"reasoning": "hm"}),
    Met("llama.cpp", "thinking that the prompt began", (said("hm\n</think>\n\n42"),), output={"reasoning": "hm"}),
    Met("MiniMax", "thinking twice", (said("<think>a</think>\n<think>b</think>\n42"),), output={"reasoning": "a\n\nb"}),
    Met("SGLang", "thinking that never ends", (said("<think>hm", "length"),), "",
        output={"reasoning": "<think>hm", "truncated": True, "empty": True}),
    Met("Mistral", "[THINK]", (said("[THINK]hm[/THINK]42"),), output={"reasoning": "hm"}),
    Met("vLLM", "harmony",
        (said("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>42<|return|>"),),
        output={"reasoning": "hm"}),
    Met("vLLM", "harmony without its marks", (said("analysishmassistantfinal42"),), output={"reasoning": "hm"}),
    Met("a model", "a tag in prose", (said("it ends with `</think>`: 42"),), "it ends with `</think>`: 42",
        output={"reasoning": None}),
    Met("a gateway", "an object as content", (said({"answer": 42}),), '{"answer":42}'),
    Met("a gateway", "a number as content", (said(42),)),
    Met("a gateway", "an object as content, of a type of its own", (said({"type": "cat"}),), '{"type":"cat"}'),
    Met("a gateway", "objects as content, of a type of their own", (said([{"type": "cat"}]),), '[{"type":"cat"}]'),
    Met("a gateway", "parts that are only texts", (said([{"text": "4"}, {"text": "2"}]),)),
    Met("a gateway", "choices by indexes that are texts",
        (sent({"choices": [{"index": str(i), "message": {"content": f"4{i}"}} for i in (3, 2)], "usage": USAGE}),)),
    Met("a gateway", "tokens as text, and a total of nothing",
        (sent({"choices": [{"message": {"content": "42"}}],
               "usage": {"prompt_tokens": "11", "completion_tokens": "7", "total_tokens": 0}}),)),
    Met("Anthropic by a gateway", "a call among the parts",
        (said([{"type": "text", "text": "42"}, {"type": "tool_use", "id": "1", "name": "f", "input": {}}]),),
        output={"tool_calls": [CALL]}),
    Met("a gateway", "calls by their indexes", (said("42", tool_calls={"0": CALL}),), output={"tool_calls": [CALL]}),
    Met("a gateway", "a list of no call", (said(None, tool_calls=[None]),), "", output={"empty": True}),
    Met("Gemini", "the name of an enumeration for the end", (said("42", "FinishReason.MAX_TOKENS"),),
        output={"truncated": True}),
    Met("Gemini", "thoughts in the text", (said("<thought>hm</thought>42"),), output={"reasoning": "hm"}),
    Met("Gemma", "a channel of thoughts", (said("<|channel>thought\nhm<channel|>42"),), output={"reasoning": "hm"}),
    Met("vLLM", "an end of thinking that came apart", (said("</think>\n\n42", reasoning_content="hm"),),
        output={"reasoning": "hm"}),
    Met("Ollama", "a model that was only loaded",
        (sent({"message": {"content": ""}, "done": True, "done_reason": "load"}), GOOD), requests=2),
    Met("OpenAI", "nothing", (said(None),), "", output={"empty": True}),
    Met("OpenAI", "the transcript of a voice", (said(None, audio={"transcript": "42"}),)),
    Met("OpenAI", "the call of a function, as before", (said(None, "function_call", function_call=CALL["function"]),),
        "", output={"tool_calls": [{"type": "function", "function": CALL["function"]}], "empty": False}),
    Met("a gateway", "one tool call without its list", (said(None, "tool_calls", tool_calls=CALL),), "",
        output={"tool_calls": [CALL]}),
    Met("a gateway", "tool calls beside the message", (choice({"content": None}, "tool_calls", tool_calls=[CALL]),), "",
        output={"tool_calls": [CALL]}),
    Met("Gemini", "MAX_TOKENS", (said("42", "MAX_TOKENS"),), output={"truncated": True}),
    Met("SGLang", "an object for the end", (said("42", {"type": "length", "length": 7}),), output={"truncated": True}),
    Met("Anthropic by gateways", "max_tokens", (said("42", "max_tokens"),), output={"truncated": True}),
    Met("a gateway", "choices out of order",
        (sent({"choices": [{"index": 1, "message": {"content": "no"}}, {"index": 0, "message": {"content": "42"}}]}),),
        usage=Usage()),
    Met("a gateway", "an error that is none", (sent({"error": None, "choices": [{"text": "42"}], "usage": USAGE}),)),
    Met("OpenAI", "cached and reasoning tokens",
        (sent({"choices": [{"text": "42"}], "usage": USAGE | {
            "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 3}}}),),
        usage=Usage(11, 7, 18, 4, 3)),
    Met("DeepSeek", "hits of the cache",
        (sent({"choices": [{"text": "42"}], "usage": USAGE | {"prompt_cache_hit_tokens": 4}}),),
        usage=Usage(11, 7, 18, 4)),
    Met("Anthropic by gateways", "input and output tokens, and no total",
        (sent({"choices": [{"text": "42"}], "usage": {"input_tokens": 11, "output_tokens": 7}}),)),
    Met("llama.cpp", "half a character", (sent(b'{"choices":[{"text":"42 \\ud83d"}]}'),), "42 \ufffd", usage=Usage()),
    Met("vLLM", "NaN", (sent(b'{"choices":[{"text":"42","logprobs":[NaN,-Infinity]}]}'),), usage=Usage()),
    Met("a .NET server", "a BOM", (sent(b'\xef\xbb\xbf{"choices":[{"text":"42"}]}'),), usage=Usage()),
    Met("a gateway", "a stream of characters that end lines elsewhere",
        (events(piece({"content": "4\u20282\x85"}), piece({"content": "\u2029!"}, "stop", usage=USAGE)),),
        "4\u20282\x85\u2029!"),
    Met("a proxy", "a stream",
        (events(piece({"role": "assistant", "content": "4"}), piece({"content": "2"}, "stop", usage=USAGE)),),
        output={"finish_reason": "stop"}),
    Met("OpenRouter", "a stream with comments, its tokens last",
        (Answer(b": OPENROUTER PROCESSING\n\n" + events(
            piece({"reasoning": "h"}), piece({"reasoning": "m"}), piece({"content": "42"}, "stop"),
            {"choices": [], "usage": USAGE}).body, headers=SSE),),
        output={"reasoning": "hm"}),
    Met("vLLM", "a stream with tool calls in pieces",
        (events(
            piece({"tool_calls": [{**CALL, "index": 0, "function": {"name": "f", "arguments": '{"x"'}}]}),
            piece({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}, "tool_calls", usage=USAGE)),),
        "", output={"tool_calls": [{**CALL, "index": 0, "function": {"name": "f", "arguments": '{"x": 1}'}}]}),
    Met("Ollama", "its own route, streamed",
        (Answer(b'{"message":{"role":"assistant","content":"4"},"done":false}\n'
                b'{"message":{"content":"2"},"done":true,"done_reason":"length",'
                b'"prompt_eval_count":11,"eval_count":7}\n'),),
        output={"truncated": True}),
    Met("Moonshot", "tokens inside the choice",
        (sent({"choices": [{"message": {"content": "42"}, "finish_reason": "stop", "usage": USAGE}]}),)),
    Met("Moonshot", "a stream with its tokens inside the choice",
        (events(piece({"content": "4"}), {"choices": [{"index": 0, "delta": {"content": "2"}, "finish_reason": "stop",
            "usage": USAGE}]}),)),
    Met("a gateway", "empty tokens beside those of the choice",
        (sent({"choices": [{"text": "42", "usage": USAGE}], "usage": {}}),)),
    Met("a Python server", "nan and inf in lower case",
        (sent(b'{"choices":[{"text":"nan, inf: 42","logprobs":[nan,-inf,inf,Infinity]}]}'),), "nan, inf: 42",
        usage=Usage()),
    Met("a model", "<thinking>", (said("<thinking>hm</thinking>\n42"),), output={"reasoning": "hm"}),
    Met("a model", "<reasoning>", (said("<reasoning>hm</reasoning>\n42"),), output={"reasoning": "hm"}),
    Met("a model", "<think> with attributes", (said('<think time="3">hm</think>42'),), output={"reasoning": "hm"}),
    Met("Gemini", "parts that are thoughts",
        (said([{"type": "text", "text": "hm", "thought": True}, {"type": "text", "text": "42"}]),),
        output={"reasoning": "hm"}),
    Met("a gateway", "finishReason",
        (sent({"choices": [{"text": "42", "finishReason": "MAX_TOKENS"}], "usage": USAGE}),),
        output={"truncated": True}),
    *(Met("a gateway", f"{kind} as the arguments of a call",
        (said(None, "tool_calls", tool_calls=[{"id": "1", "function": {"name": "f", "arguments": arguments}}]),), "",
        output={"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": arguments}}], "empty": False})
        for kind, arguments in (("an object", {"x": 1}), ("a broken text", '{"x": '), ("nothing", None))),
    Met("Gemini", "its own names of tokens", (sent({"choices": [{"text": "42"}], "usage_metadata": {
        "prompt_token_count": 11, "candidates_token_count": 7, "total_token_count": 18}}),)),
    Met("a model", "<THINK> and </Think>", (said("<THINK>hm</Think>42"),), output={"reasoning": "hm"}),
    Met("a model", "</THINK> alone", (said("hm\n</THINK>42"),), output={"reasoning": "hm"}),
    Met("vLLM", "harmony of which the final channel's name is left", (said("assistantfinal42"),),
        output={"reasoning": None}),
    Met("vLLM", "harmony that begins amid the thinking", (said("hm, so 42.assistantfinal42"),),
        output={"reasoning": "hm, so 42."}),
    Met("a model", "the name of a channel in quotes", (said("`assistantfinal` is no word"),),
        "`assistantfinal` is no word", output={"reasoning": None}),
    *(Met("a gateway", f"{word} for the length", (said("42", word),), output={"truncated": True})
        for word in ("max_output", "max_completion_tokens", "MAX_OUTPUT_TOKENS", "max_new_tokens", "token_limit",
                     "model_context_window_exceeded", "truncated", "out_of_tokens", "max_seq_len")),
    *(Met("a gateway", f"{word} for the end", (said("42", word),), output={"truncated": False})
        for word in ("eos_token", "stop_sequence", "end_turn", "COMPLETE", "eos", "tool_calls", None)),
    Met("Ollama", "its route of prompts", (sent({"response": "42", "done": True, "done_reason": "stop"}),),
        usage=Usage()),
]  # fmt: skip

FAILED_ONCE = [
    Met("OpenRouter", "an error in the choice",
        (choice({"content": "Let me"}, "error", error={"code": 502, "message": "upstream"}), GOOD)),
    Met("a gateway", "an error in the message", (said("", None, error={"message": "overloaded"}), GOOD)),
    *(Met("a gateway", f"{word} for the end", (said("4", word), GOOD))
        for word in ("server_error", "network_error", "UNAVAILABLE", "cancelled", "upstream_timeout", "killed")),
    Met("SGLang", "abort", (said("Let", "abort"), GOOD)),
    Met("a gateway", "an end by an error of its own name", (said("4", "stream_error"), GOOD)),
    Met("a gateway", "an end by its deadline", (said("4", "DEADLINE_EXCEEDED"), GOOD)),
    Met("Gemini", "a call that it could not make", (choice({"content": ""}, "MALFORMED_FUNCTION_CALL"), GOOD)),
    Met("Gemini", "a call that nobody asked for", (choice({"content": ""}, "UNEXPECTED_TOOL_CALL"), GOOD)),
    Met("DeepSeek", "insufficient_system_resource", (said("", "insufficient_system_resource"), GOOD)),
    Met("a gateway", "an empty choice beside an error",
        (sent({"error": {"message": "overloaded"}, "choices": [{"message": {"content": ""}}], "usage": USAGE}), GOOD)),
    Met("OpenRouter", "a stream that tells of an error",
        (events(piece({"content": "Let"}, usage=USAGE), {"error": {"code": 502, "message": "upstream"}}), GOOD)),
    Met("a proxy", "a stream that breaks off", (events(piece({"content": "Let"}, usage=USAGE), end=b""), GOOD)),
]  # fmt: skip

NOT_ANSWERED = [
    Met("OpenAI", "a refusal in its own field", (said(None, refusal="I cannot"),), None, "refused", error="I cannot"),
    Met("OpenAI", "a refusal as a part", (said([{"type": "refusal", "refusal": "I cannot"}]),), None, "refused",
        error="I cannot"),
    Met("Azure", "the filter of the answer", (said("", "content_filter"),), None, "refused", error="withheld"),
    Met("Azure", "the filter of the prompt", (sent({"error": {"code": "content_filter", "message": "no"}}, 400),),
        None, "refused", usage=Usage(), error="HTTP 400: no"),
    Met("Gemini", "no message", (choice(None, "PROHIBITED_CONTENT"),), None, "refused", error="withheld"),
    *(Met("a gateway", f"{word} for the filter", (said("", word),), None, "refused", error="withheld")
        for word in ("block", "blocked_content", "CONTENT_FILTERED", "safety_block", "moderated", "IMAGE_SAFETY",
                     "flagged", "policy_violation")),
    Met("Gemini", "a blocked prompt", (sent({"promptFeedback": {"blockReason": "SAFETY"}}),), None, "refused",
        usage=Usage(), error="SAFETY"),
    Met("DeepSeek", "a prompt at risk", (sent({"error": {"message": "Content Exists Risk"}}, 400),), None, "refused",
        usage=Usage(), error="Content Exists Risk"),
    Met("Bedrock gateways", "a guardrail", (said("Sorry, no", "guardrail_intervened"),), None, "refused",
        error="Sorry, no"),
    Met("LM Studio", "a wrong path", (sent({"error": "Unexpected endpoint. Returning 200 anyway"}),), None, "error", 2,
        Usage(), error="Returning 200 anyway"),
    Met("a gateway", "a page", (sent(b"<!DOCTYPE html>", kind="text/html"),), None, "error", 2,
        Usage(), error="text/html"),
    Met("Gemini", "a choice with nothing in it", (choice(None),), None, "error", 2, TWICE, error="no choices"),
    Met("OpenAI", "no credit", (sent({"error": {"code": "insufficient_quota", "message": "no credit"}}, 429),),
        None, "error", usage=Usage(), error="no credit"),
    Met("OpenAI", "a request above the limit of tokens in a minute",
        (sent({"error": {"message": "Request too large for gpt-4o in organization org-1 on tokens per min (TPM): Limit "
            "30000, Requested 45000.", "type": "tokens", "code": "rate_limit_exceeded"}}, 429),),
        None, "error", usage=Usage(), error="HTTP 429: Request too large for gpt-4o"),
    Met("Moonshot", "no credit",
        (sent({"error": {"type": "exceeded_current_quota_error", "message": "no credit"}}, 429),),
        None, "error", usage=Usage(), error="no credit"),
    Met("OpenRouter", "a status in the body", (sent({"error": {"code": 401, "message": "no key"}}),), None, "error",
        usage=Usage(), error="no key"),
    Met("OpenRouter", "a busy provider", (sent({"error": {"code": 429, "message": "Provider returned error",
        "metadata": {"raw": "too many requests", "provider_name": "P"}}}),), None, "transient", 3, Usage(),
        error="Provider returned error: too many requests"),
    Met("FastAPI servers", "details", (sent({"detail": [
        {"loc": ["body", "model"], "msg": "Field required"}, {"loc": ["body", "n"], "msg": "too many"}]}, 422),),
        None, "error", usage=Usage(), error="HTTP 422: body.model: Field required; body.n: too many"),
    Met("a model", "calls nested 1,000 deep",
        (sent(b'{"choices":[{"message":{"tool_calls":[' + b'[' * 1000 + b']' * 1000 + b']}}]}'),), None, "error",
        usage=Usage(), error="nested deeper than 200"),
]  # fmt: skip


def ask(loop: IoLoop, endpoint: ScriptedEndpoint, met: Met) -> Reply:
    rest = list(met.answers)
    endpoint.script = lambda _: rest.pop(0) if len(rest) > 1 else rest[0]
    request = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "How much is 40 + 2?"}]})
    route = Route(f"{endpoint.url}/chat/completions", "m", timeout_s=30.0, max_retries=2)
    return loop.run(loop.ask(route, request, limit=JobLimit(1), role="target"))


def check(loop: IoLoop, endpoint: ScriptedEndpoint, met: Met, requests: int, usage: Usage | None) -> None:
    reply = ask(loop, endpoint, met)
    call = Call(CallKey("t", 0, "m", 0, "target", "", 0), reply.outcome, "{}", reply.body, error=reply.error)
    output = to_output(call, Reasoning())
    assert (reply.outcome, output.text) == (met.outcome, met.text), reply.error
    assert (len(endpoint.calls), reply.attempts) == (requests, requests)
    assert reply.usage == usage
    assert met.error in (reply.error or "")
    found = {name: getattr(output, name) for name in met.output}
    if "tool_calls" in found:
        found["tool_calls"] = orjson.loads(found["tool_calls"])
    assert found == met.output


def named(met: Met) -> str:
    return f"{met.server}: {met.quirk}"


@pytest.mark.parametrize("met", [*ANSWERED, *NOT_ANSWERED], ids=named)
def test_what_a_server_sends_is_read_as_it_means_it(loop: IoLoop, endpoint: ScriptedEndpoint, met: Met) -> None:
    check(loop, endpoint, met, met.requests, met.usage)


@pytest.mark.parametrize("met", FAILED_ONCE, ids=named)
def test_an_answer_that_failed_is_asked_for_again_and_paid_twice(
    loop: IoLoop, endpoint: ScriptedEndpoint, met: Met
) -> None:
    check(loop, endpoint, met, 2, TWICE)


@pytest.mark.parametrize("met", FAILED_ONCE, ids=named)
def test_an_answer_that_fails_for_ever_is_no_answer(loop: IoLoop, endpoint: ScriptedEndpoint, met: Met) -> None:
    for_ever = Met(met.server, met.quirk, met.answers[:1], None, "transient")
    check(loop, endpoint, for_ever, 3, Usage(33, 21, 54))


@pytest.mark.parametrize("met", ANSWERED, ids=named)
def test_what_is_kept_of_an_answer_is_json(loop: IoLoop, endpoint: ScriptedEndpoint, met: Met) -> None:
    assert orjson.loads(ask(loop, endpoint, met).body or "")
