"""What an endpoint's answer means: an answer, a refusal, or an error that may or will not pass; no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from core.endpoint import Reasoning
from core.result import Call, CallOutcome, Outcome, Output, Usage
from tasks.endpoint.answer import Answer, TooMuch, read_body
from tasks.endpoint.complaint import SILENT, Complaint, complaint_of, host_of, read_complaint, whole_complaint
from tasks.endpoint.message import Message, read_message
from tasks.endpoint.thinking import split_thinking
from tasks.endpoint.usage import UNCOUNTED, read_usage

_PASSING: Final = frozenset({408, 409, 425, 429})
_QUOTED: Final = 500

OUTCOMES: Final[Mapping[CallOutcome, Outcome]] = {
    "answered": "scored",
    "refused": "refused",
    "error": "target_error",
    "transient": "target_error",
    "not_attempted": "not_attempted",
    "cancelled": "cancelled",
    "missing_field": "missing_field",
}
"""What an output comes to, by how its call ended."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one answer means: an outcome, and an error unless it was answered.

    `text` is what is kept of the answer, `answer` what an error holds that may pass. It is `empty` if the model said
    nothing, `unreadable` if it is no answer in any form and yet no error (another try may help, a third one will not),
    and `exhausted` if no call of the account will be answered.
    """

    outcome: CallOutcome
    error: str | None = None
    usage: Usage = UNCOUNTED
    text: str | None = None
    answer: Any = None
    complaint: Complaint = SILENT
    empty: bool = False
    unreadable: bool = False
    exhausted: bool = False


def read_reply(status: int, headers: Mapping[str, str], body: bytes) -> Reading:
    """Tell whether an answer is one, a refusal, or an error that may or will not pass."""
    try:
        answer = read_body(body)
    except TooMuch as depth:
        return Reading("error", str(depth))
    usage = read_usage(answer.value)
    if status < 200:
        error = f"HTTP {status:03}: that is no status of an answer, whatever came with it"
        return Reading("transient", error, usage, answer.text, unreadable=True)
    if status < 300 and (message := read_message(answer.value)) is not None:
        return _of_message(status, headers, message, answer, usage)
    if 300 <= status < 400:
        error = f"HTTP {status}: redirects to {host_of(headers)}, which is not followed; give that URL"
        return Reading("error", error, text=answer.text)
    if status < 300 and (block := _blocked(answer.value)):
        return Reading("refused", block, usage, answer.text)
    return _of_complaint(status, headers, read_complaint(answer.value), answer, usage)


def _of_message(status: int, headers: Mapping[str, str], message: Message, answer: Answer, usage: Usage) -> Reading:
    """Tell what a choice means: it may carry an error, or a refusal in the place of an answer."""
    text, empty = answer.text, message.says_nothing
    said = message.refusal or (message.text if message.end == "withheld" else "")
    if message.refusal or message.end == "withheld" or (empty and _is_filtered(answer.value)):
        why = said or "The endpoint's content filter withheld the answer"
        return Reading("refused", why[:_QUOTED], usage, text)
    ended = message.finish is not None and message.end != "failed"
    error = message.error or (answer.value.get("error") if empty or not ended else None)
    if error or message.end == "failed":
        complaint = complaint_of(error)
        if not complaint.message:
            complaint = Complaint(f"the answer ended in {message.finish!r}", complaint.codes, status=complaint.status)
        return _of_complaint(status, headers, complaint, answer, usage, passes=True)
    return Reading("answered", None, usage, text, empty=empty)


def _of_complaint(
    status: int, headers: Mapping[str, str], complaint: Complaint, answer: Answer, usage: Usage, *, passes: bool = False
) -> Reading:
    """Tell what an error means, by its codes before its status; a status of 200 may have another one in its body."""
    text = answer.text
    error = whole_complaint(status, headers, complaint, text, is_json=answer.value is not None)
    if complaint.is_refusal:
        return Reading("refused", error, usage, text)
    if complaint.is_exhausted or status == 402:
        return Reading("error", error, usage, text, exhausted=True)
    meant = complaint.status or status if status < 300 else status
    passing = meant < 300 or meant in _PASSING or meant >= 500
    if not passing or complaint.is_too_large or headers.get("x-should-retry") == "false":
        return Reading("error", error, usage, text, complaint=complaint)
    unreadable = meant < 300 and not passes and not complaint.may_pass
    return Reading("transient", error, usage, text, answer.value, complaint, unreadable=unreadable)


def _blocked(value: Any) -> str | None:
    """Return why Gemini blocked a prompt, to which there is no choice then."""
    answer = value if isinstance(value, dict) else {}
    feedback = answer.get("promptFeedback") or answer.get("prompt_feedback")
    if not isinstance(feedback, dict):
        return None
    names = ("blockReasonMessage", "block_reason_message", "blockReason", "block_reason")
    reason = next((feedback[name] for name in names if feedback.get(name)), None)
    return f"The endpoint blocked the prompt: {reason}" if reason else None


def _is_filtered(value: Any) -> bool:
    """Tell whether Azure's filter found something in an answer that was left empty."""
    choices = value.get("choices") if isinstance(value, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    results = choice.get("content_filter_results") if isinstance(choice, dict) else None
    found = results.values() if isinstance(results, dict) else ()
    return any(isinstance(result, dict) and result.get("filtered") is True for result in found)


def to_output(call: Call, reasoning: Reasoning) -> Output:
    """Derive a target's output from its call; what could not be had keeps the reason."""
    key = call.key
    message = read_message(orjson.loads(call.response)) if call.outcome == "answered" and call.response else None
    if message is None:
        return Output(key.task, key.sample, key.target, key.trial, outcome=OUTCOMES[call.outcome], error=call.error)
    parts = split_thinking(message.text, reasoning, apart=message.reasoning is not None)
    return Output(
        task=key.task,
        sample=key.sample,
        target=key.target,
        trial=key.trial,
        text=parts.answer,
        reasoning=message.reasoning or parts.thinking,
        tool_calls=orjson.dumps(message.tool_calls).decode() if message.tool_calls else None,
        finish_reason=message.finish,
        truncated=message.end == "length",
        empty=not parts.answer.strip() and not message.tool_calls,
    )


def answer_text(call: Call, reasoning: Reasoning) -> str:
    """Return the text of an answered call, without its thinking."""
    return to_output(call, reasoning).text or ""
