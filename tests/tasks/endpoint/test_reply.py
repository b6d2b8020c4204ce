from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.endpoint import Reasoning
from core.result import Call, CallKey, CallOutcome, Output
from tasks.endpoint.reply import answer_text, split_reasoning, to_output

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
    assert output.response == call.response


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Paris", "Paris"),
        (None, ""),
        ([{"type": "text", "text": "Pa"}, {"type": "text", "text": "ris"}], "Paris"),
        ([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": None}, "Paris"], ""),
        ([{"type": "text", "text": {"value": "Paris"}}], ""),
        ({"text": "Paris"}, ""),
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
    assert split_reasoning("<think>\nhm\n</think>\n\n4", PLAIN) == ("hm", "4")
    assert split_reasoning("hm</think>4</think>5", PLAIN) == ("hm", "4</think>5")
    assert split_reasoning("<think>hm", PLAIN) == ("<think>hm", "")
    assert split_reasoning("<think>hm", Reasoning(include_if_unfinished=True)) == ("<think>hm", "<think>hm")
    assert split_reasoning("so<end>4", Reasoning(end_token="<end>")) == ("so", "4")


@given(WORDS, WORDS)
def test_thinking_and_answer_are_told_apart(thought: str, answer: str) -> None:
    assert split_reasoning(f"<think>{thought}</think>{answer}", PLAIN) == (thought.strip(), answer.lstrip())
    assert split_reasoning(answer, PLAIN) == (None, answer)


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
