"""What a model said in an answer: the one choice that counts, in the forms in which servers have it."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import orjson

End = Literal["said", "length", "failed", "withheld"]
"""How a message ended: as the model would have it, cut off, broken off by the server, or held back by a filter."""

ENDS: Final[Mapping[End, re.Pattern[str]]] = {
    "withheld": re.compile(
        r"content_?filter|safety|moderat|prohibit|guardrail|refusal|sensitive|block|flagged|toxic|recitation|\bspii\b|policy"
    ),
    "failed": re.compile(
        r"error|exception|timeout|timed_out|deadline|overload|abort|cancel|fail|interrupt|preempt|disconnect|malformed"
        r"|unexpected|too_many|unavailable|internal|kill|crash|rate_limit|resource|\b(?:un)?load\b"
    ),
    "length": re.compile(
        r"length|max_?\w*(?:token|output|len|new)|(?:token|output)_limit|\blimit\b|context|incomplete|truncat|out_of_token|budget"
    ),
}
"""What the words have in them with which servers say how an answer ended; any other is the end of what was to say."""

_NO_WORD: Final = re.compile(r"[^a-z0-9]+")
_THINKING_KINDS: Final = frozenset({"thinking", "reasoning", "reasoning_text", "redacted_thinking"})
_CALLS: Final = frozenset({"tool_use", "tool_call", "function_call"})
_PARTS: Final = (
    _CALLS
    | _THINKING_KINDS
    | {"text", "output_text", "input_text", "refusal", "reference", "image", "image_url", "audio", "file", "document"}
)
"""The kinds of parts; an object of any other type is what a gateway made of a text that was JSON."""

_REASONING_FIELDS: Final = (
    "reasoning_content",
    "reasoning",
    "reasoning_text",
    "thinking",
    "reasoning_details",
    "thinking_blocks",
)

Json = dict[str, Any]


class Message(NamedTuple):
    """What a model said; `reasoning` is what came apart from the text, `finish` the server's word for the end."""

    text: str
    reasoning: str | None
    tool_calls: list[Any]
    refusal: str
    finish: str | None
    end: End
    error: Any = None

    @property
    def says_nothing(self) -> bool:
        """Whether there is neither a text nor a call."""
        return not (self.tool_calls or self.text.strip())


def read_message(answer: Any) -> Message | None:
    """Read what the model said; None if the answer has no choice, or one with nothing in it and no reason why."""
    choice = _choice(answer)
    if choice is None:
        return None
    finish = _finish(choice)
    end = _end(choice, finish)
    message = choice.get("message")
    if not isinstance(message, dict):
        message = choice.get("delta")
    if not isinstance(message, dict):
        text = choice.get("text")
        if not isinstance(text, str) and end in ("said", "length") and not choice.get("error"):
            return None
        message = {"content": text, "thinking": choice.get("thinking")}
    elif "content" not in message and isinstance(choice.get("text"), str):
        message = {**message, "content": choice["text"]}
    content = read_content(message.get("content"))
    reasoning = None if message.keys().isdisjoint(_REASONING_FIELDS) else _reasoning(message)
    return Message(
        text=content.text or _transcript(message),
        reasoning=reasoning or content.thinking,
        tool_calls=_tool_calls(message) or _tool_calls(choice),
        refusal=_text(message.get("refusal")) or content.refusal,
        finish=finish,
        end=end,
        error=choice.get("error") or message.get("error"),
    )


def _reasoning(message: Json) -> str | None:
    return next((text for name in _REASONING_FIELDS if (text := _joined(message.get(name)))), None)


def _choice(answer: Any) -> Json | None:
    """Return the first choice by its index, wherever it stands in the list; of Ollama's own routes the only one."""
    if not isinstance(answer, dict):
        return None
    choices = answer.get("choices")
    found = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    if len(found) == 1:
        return found[0]
    if found:
        return min(found, key=_index)
    ended = {"finish_reason": answer.get("done_reason")}
    if isinstance(answer.get("message"), dict) and "done" in answer:
        return {"message": answer["message"], **ended}
    if isinstance(answer.get("response"), str) and "done" in answer:
        return {"text": answer["response"], "thinking": answer.get("thinking"), **ended}
    return None


def _index(choice: Json) -> int:
    index = choice.get("index")
    if isinstance(index, str) and index.isascii() and index.isdecimal() and len(index) < 10:
        return int(index)
    return index if isinstance(index, int) else 0


def _finish(choice: Json) -> str | None:
    """Return the server's word for the end; SGLang has an object in its place."""
    finish = choice.get("finish_reason", choice.get("finishReason"))
    if isinstance(finish, dict):
        finish = finish.get("type")
    return finish if isinstance(finish, str) else None


def _end(choice: Json, finish: str | None) -> End:
    stopped_at = choice.get("stop_reason") if finish != "stop" else None  # with vLLM, the text at which it was to stop
    for word in (finish, choice.get("native_finish_reason"), stopped_at):
        if isinstance(word, str) and (end := _end_of(word[:64])) != "said":
            return end
    return "said"


@lru_cache(maxsize=256)
def _end_of(word: str) -> End:
    word = _NO_WORD.sub("_", word.lower().removeprefix("finishreason.")).strip("_")
    return next((end for end, words in ENDS.items() if words.search(word)), "said")


def _tool_calls(message: Json) -> list[Any]:
    """Return the calls of functions: a list, a single one, one in the field that they had before, or parts."""
    calls = message.get("tool_calls")
    if isinstance(calls, dict):
        calls = [calls] if "function" in calls or "name" in calls else [*calls.values()]
    if isinstance(calls, list) and (made := [call for call in calls if call is not None]):
        return made
    call = message.get("function_call")
    if isinstance(call, dict) and call:
        return [{"type": "function", "function": call}]
    content = message.get("content")
    return [_call_of(part) for part in content if _is_call(part)] if isinstance(content, list) else []


def _is_call(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in _CALLS and isinstance(part.get("name"), str)


def _call_of(part: Json) -> Json:
    """Return a call that is a part of the content, as Anthropic has it, in the form of the others."""
    arguments = part.get("input", part.get("arguments"))
    if not isinstance(arguments, str):
        arguments = orjson.dumps(arguments or {}).decode()
    return {"id": part.get("id"), "type": "function", "function": {"name": part["name"], "arguments": arguments}}


class Content(NamedTuple):
    """The parts of a message, by their kinds."""

    text: str = ""
    thinking: str | None = None
    refusal: str = ""


def read_content(content: Any) -> Content:
    """Read a text, parts of several kinds, or what a gateway made of a text that was JSON, put back as that."""
    match content:
        case str():
            return Content(content)
        case None:
            return Content()
        case dict() if _is_part(content):
            return _of_parts([content])
        case list() if not content or any(map(_is_part, content)):
            return _of_parts(content)
        case _:
            return Content(orjson.dumps(content).decode())


def _of_parts(parts: list[Any]) -> Content:
    texts, thoughts, refusals = [], [], []
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in _THINKING_KINDS or (kind is not None and part.get("thought") is True):
            thoughts.append(_joined(part))
        elif kind == "refusal":
            refusals.append(_joined(part.get("refusal")))
        else:
            texts.append(_joined(part))
    return Content("".join(texts), "".join(thoughts) or None, "".join(refusals))


def _is_part(value: Any) -> bool:
    if isinstance(value, dict):
        kind = value.get("type")
        return kind in _PARTS if isinstance(kind, str) else value.keys() == {"text"}
    return isinstance(value, str)


def _joined(value: Any) -> str:
    """Return the texts in a value: a text, a part with one, or a list of these."""
    return "".join(_texts(value))


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _texts(each)
        case dict():
            for name in ("text", "thinking", "summary", "reasoning", "content", "value"):
                if value.get(name):
                    yield from _texts(value[name])
                    break


def _transcript(message: Json) -> str:
    audio = message.get("audio")
    return _text(audio.get("transcript")) if isinstance(audio, dict) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
