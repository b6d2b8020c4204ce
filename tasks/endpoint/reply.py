"""Read a model's answer: its text, thinking, tool calls and how it ended."""

import orjson

from core.endpoint import Reasoning
from core.result import Call, CallOutcome, Outcome, Output

_OUTCOMES: dict[CallOutcome, Outcome] = {
    "answered": "scored",
    "refused": "refused",
    "error": "target_error",
    "transient": "target_error",
    "not_attempted": "not_attempted",
    "cancelled": "cancelled",
    "missing_field": "missing_field",
}

_START_TOKEN = "<think>"


def to_output(call: Call, reasoning: Reasoning) -> Output:
    """Derive a target's output from its call; what could not be had keeps the reason."""
    key = call.key
    if call.outcome != "answered" or call.response is None:
        return Output(key.task, key.sample, key.target, key.trial, outcome=_OUTCOMES[call.outcome], error=call.error)
    choice = orjson.loads(call.response)["choices"][0]
    message = choice["message"] if isinstance(choice.get("message"), dict) else {}
    text = _plain_text(message["content"] if "content" in message else choice.get("text"))
    thought, answer = split_reasoning(text, reasoning)
    tool_calls = message.get("tool_calls")
    finish = _text(choice.get("finish_reason"))
    return Output(
        task=key.task,
        sample=key.sample,
        target=key.target,
        trial=key.trial,
        text=answer,
        reasoning=_text(message.get("reasoning_content")) or _text(message.get("reasoning")) or thought,
        tool_calls=orjson.dumps(tool_calls).decode() if tool_calls else None,
        response=call.response,
        finish_reason=finish,
        truncated=finish == "length",
        empty=not answer.strip() and not tool_calls,
    )


def answer_text(call: Call, reasoning: Reasoning) -> str:
    """Return the text of an answered call, without its thinking."""
    return to_output(call, reasoning).text or ""


def split_reasoning(text: str, reasoning: Reasoning) -> tuple[str | None, str]:
    """Tell thinking from the answer after it; thinking that never ends is no answer."""
    thought, end, answer = text.partition(reasoning.end_token)
    if end:
        return thought.removeprefix(_START_TOKEN).strip(), answer.lstrip()
    if text.lstrip().startswith(_START_TOKEN):
        return text, text if reasoning.include_if_unfinished else ""
    return None, text


def _plain_text(content: object) -> str:
    """Join a message's content, which is a text, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(part.get("text")) or "" for part in content if isinstance(part, dict))
    return ""


def _text(value: object) -> str | None:
    """Return a text as it is; an endpoint may put anything in the place of one."""
    return value if isinstance(value, str) else None
