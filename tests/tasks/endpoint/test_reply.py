from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.endpoint import Reasoning
from core.result import Call, CallKey, CallOutcome, Output, Usage
from tasks.endpoint.reply import answer_text, read_reply, to_output
from tasks.endpoint.thinking import split_thinking
from tasks.endpoint.usage import read_usage

ANSWER = {"choices": [{"message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}]}
JSON_TYPE = {"content-type": "application/json"}
KEY = CallKey("qa", 3, "target", 0, "target", "", 0)
PLAIN = Reasoning()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=6,
)
WORDS = st.text(alphabet="ab \n", max_size=12)


def answered(choice: dict[str, Any]) -> Call:
    return Call(KEY, "answered", "{}", orjson.dumps({"choices": [choice]}).decode())


def said(message: dict[str, Any], reasoning: Reasoning = PLAIN, finish: object = "stop") -> Output:
    return to_output(answered({"message": message, "finish_reason": finish}), reasoning)


def test_an_answer_keeps_its_place_its_text_and_its_end() -> None:
    call = answered({"message": {"content": "Paris"}, "finish_reason": "length"})
    output = to_output(call, PLAIN)
    assert (output.task, output.sample, output.target, output.trial) == ("qa", 3, "target", 0)
    assert (output.text, output.reasoning, output.outcome, output.error) == ("Paris", None, "scored", None)
    assert (output.finish_reason, output.truncated, output.empty) == ("length", True, False)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Paris", "Paris"),
        (None, ""),
        ([{"type": "text", "text": "Pa"}, {"type": "text", "text": "ris"}], "Paris"),
        ([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": None}, "Paris"], "Paris"),
        ([{"type": "text", "text": {"value": "Paris"}}], "Paris"),
        ({"type": "text", "text": "Paris"}, "Paris"),
        ({"city": "Paris"}, '{"city":"Paris"}'),
        ([{"city": "Paris"}], '[{"city":"Paris"}]'),
        (42, "42"),
        (False, "false"),
    ],
)
def test_the_text_is_a_message_s_content_or_the_texts_of_its_parts(content: object, expected: str) -> None:
    output = said({"content": content})
    assert output.text == expected
    assert output.empty == (expected == "")


def test_a_completion_s_text_is_its_answer() -> None:
    assert to_output(answered({"text": "Paris"}), PLAIN).text == "Paris"
    assert to_output(answered({"message": None, "text": "Paris"}), PLAIN).text == "Paris"
    assert answer_text(answered({"text": "<think>x</think> Paris"}), PLAIN) == "Paris"


def test_tool_calls_are_an_answer_even_without_a_text() -> None:
    calls = [{"type": "function", "function": {"name": "f", "arguments": "{}"}}]
    output = said({"content": None, "tool_calls": calls}, finish="tool_calls")
    assert orjson.loads(output.tool_calls or "") == calls
    assert (output.text, output.empty) == ("", False)
    assert said({"content": None, "tool_calls": []}).empty


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thinking_in_a_field_of_its_own_is_found(field: str) -> None:
    output = said({"content": "4", field: "2 and 2"})
    assert (output.text, output.reasoning) == ("4", "2 and 2")
    assert said({"content": "<think>by hand</think>4", field: None}).reasoning == "by hand"


def test_thinking_ends_at_its_token_and_thinking_without_end_is_no_answer() -> None:
    assert split_thinking("<think>\nhm\n</think>\n\n4", PLAIN) == ("hm", "4")
    assert split_thinking("hm</think>4</think>5", PLAIN) == ("hm", "4</think>5")
    assert split_thinking("<think>hm", PLAIN) == ("<think>hm", "")
    assert split_thinking("<think>hm", Reasoning(include_if_unfinished=True)) == ("<think>hm", "<think>hm")
    assert split_thinking("so<end>4", Reasoning(end_token="<end>")) == ("so", "4")


@given(WORDS, WORDS)
def test_thinking_and_answer_are_told_apart(thought: str, answer: str) -> None:
    assert split_thinking(f"<think>{thought}</think>{answer}", PLAIN) == (thought.strip(), answer.lstrip())
    assert split_thinking(answer, PLAIN) == (None, answer)


@given(st.dictionaries(st.sampled_from(["content", "reasoning_content", "reasoning", "tool_calls"]), JSON), JSON)
def test_no_message_is_too_odd_to_be_kept(message: dict[str, Any], finish: object) -> None:
    output = said(message, finish=finish)
    assert output.outcome == "scored"
    assert isinstance(output.text, str)
    assert all(isinstance(v, str | None) for v in (output.reasoning, output.tool_calls, output.finish_reason))


@pytest.mark.parametrize("outcome", [outcome for outcome in get_args(CallOutcome) if outcome != "answered"])
def test_what_could_not_be_had_says_why_and_has_no_text(outcome: CallOutcome) -> None:
    call = Call(KEY, outcome, "{}", '{"error": "x"}', error="HTTP 500: x")
    output = to_output(call, PLAIN)
    assert (output.text, output.response, output.error) == (None, None, "HTTP 500: x")
    assert output.outcome == {"error": "target_error", "transient": "target_error"}.get(outcome, outcome)
    assert answer_text(call, PLAIN) == ""


def read(status: int, body: Any, headers: dict[str, str] = JSON_TYPE) -> tuple[str, str]:
    reading = read_reply(status, headers, body if isinstance(body, bytes) else orjson.dumps(body))
    return reading.outcome, reading.error or ""


@pytest.mark.parametrize("body", [ANSWER, {"choices": [{"text": "4"}]}, {"choices": [{"message": {"content": None}}]}])
def test_an_answer_with_a_choice_is_one(body: Any) -> None:
    assert read(200, body) == ("answered", "")
    assert read(201, body) == ("answered", "")


@pytest.mark.parametrize("status", [0, 99, 199])
def test_what_comes_with_no_status_of_an_answer_is_none_and_was_paid(status: int) -> None:
    reading = read_reply(status, JSON_TYPE, orjson.dumps(ANSWER | {"usage": {"total_tokens": 3}}))
    assert (reading.outcome, reading.unreadable, reading.usage.total_tokens) == ("transient", True, 3)
    assert reading.error == f"HTTP {status:03}: that is no status of an answer, whatever came with it"


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_an_error_that_may_pass_is_transient_unless_the_endpoint_says_no(status: int) -> None:
    assert read(status, {"error": {"message": "later"}}) == ("transient", f"HTTP {status}: later")
    assert read(status, {}, {"x-should-retry": "false"})[0] == "error"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422])
def test_an_error_of_ours_is_final(status: int) -> None:
    assert read(status, {"detail": "no such model"}) == ("error", f"HTTP {status}: no such model")
    assert read(status, ANSWER)[0] == "error"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"message": "overloaded"}}, "HTTP 200: overloaded"),
        ({"error": "overloaded"}, "HTTP 200: overloaded"),
        ({"choices": []}, "no choices"),
        ({"choices": [None]}, "no choices"),
        ({"choices": [{"finish_reason": "stop"}]}, "no choices"),
        ([], "no choices"),
        (b"", "not JSON"),
        (b'{"choices": [{"mess', "not JSON"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_a_200_that_is_no_answer_is_transient(body: Any, said: str) -> None:
    outcome, error = read(200, body)
    assert outcome == "transient"
    assert said in error


def test_a_page_is_shown_by_its_type_and_its_start() -> None:
    outcome, error = read(200, b"<html>" + b"x" * 1000, {"content-type": "text/html"})
    assert (outcome, "text/html" in error, "<html>xxx" in error) == ("transient", True, True)
    assert len(error) < 200


def test_a_redirect_is_final_and_names_the_host() -> None:
    outcome, error = read(302, b"", {"location": "https://user:pw@elsewhere.example/secret?key=1"})
    assert outcome == "error"
    assert "elsewhere.example" in error
    assert "pw" not in error
    assert "secret" not in error


@pytest.mark.parametrize("location", ["", "/login", "http://[broken"])
def test_a_redirect_to_no_host_is_final_too(location: str) -> None:
    outcome, error = read(308, b"", {"location": location})
    assert outcome == "error"
    assert "HTTP 308" in error


@pytest.mark.parametrize(
    "error",
    [
        {"code": "content_filter", "message": "filtered"},
        {"type": "content_policy_violation", "message": "filtered"},
        {"code": 400, "innererror": {"code": "ResponsibleAIPolicyViolation"}, "message": "filtered"},
    ],
)
def test_an_error_that_names_the_content_filter_is_a_refusal(error: dict[str, Any]) -> None:
    assert read(400, {"error": error}) == ("refused", "HTTP 400: filtered")
    assert read(400, {"error": {"code": "bad", "message": 'the prompt has "content_filter"'}})[0] == "error"


def test_an_answer_withheld_by_the_filter_is_a_refusal_that_was_paid() -> None:
    body = {"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}], "usage": {"total_tokens": 9}}
    reading = read_reply(200, JSON_TYPE, orjson.dumps(body))
    assert reading.outcome == "refused"
    assert reading.usage == Usage(total_tokens=9)


def test_no_total_hides_no_details() -> None:
    counts = {"prompt_tokens": 3, "completion_tokens": 2}
    details = {"completion_tokens_details": {"reasoning_tokens": 1}}
    assert read_usage({"usage": counts | details}) == Usage(3, 2, 5, None, 1)
    assert read_usage({"usage": counts | {"prompt_cache_hit_tokens": 2}}) == Usage(3, 2, 5, 2)
    assert read_usage({"usage": {"promptTokens": 3, "completionTokens": 2}}) == Usage(3, 2, 5)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda x: st.lists(x)))
def test_a_usage_of_any_kind_gives_counts_or_nothing(value: Any) -> None:
    usage = read_usage({"prompt_tokens": value, "completion_tokens": value})
    assert usage.prompt_tokens is None or usage.prompt_tokens >= 0
    assert type(usage.completion_tokens) in (int, type(None))
    assert read_usage(value) == Usage()


@given(
    st.integers(100, 599), st.binary() | st.recursive(st.none() | st.text(), lambda x: st.lists(x)).map(orjson.dumps)
)
def test_whatever_is_sent_has_a_meaning_and_every_failure_a_text(status: int, body: bytes) -> None:
    reading = read_reply(status, {}, body)
    assert reading.outcome in ("transient", "error")
    assert reading.error


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "Your credit balance is too low to access the Anthropic API."),
        (429, "Your team has either used all available credits or reached its monthly spending limit."),
        (429, "Insufficient Balance"),
    ],
)
def test_what_is_said_in_words_alone_is_that_there_is_no_credit(status: int, message: str) -> None:
    error = {"type": "invalid_request_error", "message": message}
    reading = read_reply(status, {}, orjson.dumps({"type": "error", "error": error}))
    assert (reading.outcome, reading.exhausted) == ("error", True)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Write it so:\n```xml\n<think>a</think>\nb\n```\nand no more.", None),
        ("~~~\n<think>\n~~~\n42", None),
        ("<think>so:\n```\ncode\n```\n</think>\n42", "42"),
        ("<think>so:\n```\ncode</think>\n42:\n```\nx\n```", "42:\n```\nx\n```"),
        ("so:\n```\ncode\n</think>\n42:\n```\nx\n```", "42:\n```\nx\n```"),
        ("<think>a</think>\n```xml\n<think>b</think>\n```", "```xml\n<think>b</think>\n```"),
    ],
)
def test_thinking_that_is_shown_between_fences_is_text(text: str, answer: str | None) -> None:
    assert split_thinking(text, Reasoning()).answer.strip() == (text if answer is None else answer)


@pytest.mark.parametrize("tag", ["thinking", "reasoning", "thought"])
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<{}>a</{}>\n42", "42"),
        ("\n <{}>a</{}>\n<{}>b</{}>\n\n<answer>42</answer>", "<answer>42</answer>"),
        ("from the prompt\n</{}>\n\n42", "42"),
        ("<{}>cut off", ""),
        ("<root>\n<{}>a</{}>\n</root>", None),
        ("42\n\n<{}>since 6 x 7</{}>", None),
        ("<answer>42</answer>\n<{}>since 6 x 7</{}>", None),
        ("It ends in </{}> and then the answer begins.", None),
        ("It ends in </{}>\nand begins in <{}>", None),
        ("<{}>a</{}>\nIn XML:\n<{}>b</{}>", "In XML:\n<{1}>b</{1}>"),
    ],
)
def test_a_tag_that_may_be_any_xml_is_thinking_where_the_answer_begins(tag: str, text: str, answer: str | None) -> None:
    text = text.replace("{}", tag)
    expected = text if answer is None else answer.replace("{1}", tag)
    assert split_thinking(text, Reasoning()).answer == expected


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("```\n<think>\n```\n" * 20_000, ("```\n<think>\n```\n" * 20_000).strip()),
        ("<think>a</think>\n" * 30_000 + "42", "42"),
        ("<think>" * 30_000 + "</think>" * 30_000 + "42", "</think>" * 29_999 + "42"),
        ("`a" * 100_000 + "<think>", "`a" * 100_000 + "<think>"),
        ("<|channel|>analysis<|message|>" * 30_000, ""),
        ("analysis" + "assistantfina" * 30_000 + "l42", "42"),
    ],
    ids=["fences", "blocks", "nested", "backticks", "harmony", "bare"],
)
def test_texts_of_very_many_marks_are_read_in_one_pass(text: str, answer: str) -> None:
    assert split_thinking(text, Reasoning()).answer.strip() == answer
