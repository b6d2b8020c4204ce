"""A streamed answer put together: the chunks of OpenAI-style streams, and of Ollama's."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

Json = dict[str, Any]

CUT: Final = {"code": "stream_cut", "message": "the stream ended before the answer did"}


def assembled(chunks: Sequence[Json], *, is_whole: bool) -> Json:
    """Return the answer that chunks make up; one that breaks off has an `error`, and so has one that tells of one."""
    if any("done" in chunk for chunk in chunks):
        return _of_ollama(chunks)
    answer = {name: value for chunk in chunks for name, value in chunk.items() if value is not None}
    choices: dict[int, Json] = {}
    for chunk in chunks:
        for place, part in enumerate(_dicts(chunk.get("choices"))):
            index = part.get("index")
            _add_choice(choices.setdefault(index if isinstance(index, int) else place, {}), part)
    answer["choices"] = [{"index": index, **choice} for index, choice in sorted(choices.items())]
    if choices and not is_whole and not all(choice.get("finish_reason") for choice in choices.values()):
        answer.setdefault("error", CUT)
    return answer


def _of_ollama(chunks: Sequence[Json]) -> Json:
    answer: Json = dict(chunks[-1])
    if isinstance(answer.get("message"), dict):
        answer["message"] = _merged(chunk.get("message") for chunk in chunks)
    for field in ("response", "thinking"):
        if any(isinstance(chunk.get(field), str) for chunk in chunks):
            answer[field] = "".join(chunk[field] for chunk in chunks if isinstance(chunk.get(field), str))
    if not answer.get("done"):
        answer.setdefault("error", CUT)
    return answer


def _add_choice(choice: Json, part: Json) -> None:
    """Add a chunk's part of a choice: its message grows, and of all else the last word holds."""
    delta = part.get("delta", part.get("message"))
    if isinstance(delta, dict):
        choice["message"] = _merged([choice.get("message"), delta])
    if isinstance(part.get("text"), str):
        choice["text"] = choice.get("text", "") + part["text"]
    kept = (pair for pair in part.items() if pair[0] not in ("delta", "message", "text") and pair[1] is not None)
    choice.update(kept)


def _merged(messages: Iterable[Any]) -> Json:
    whole: Json = {}
    for message in messages:
        for name, value in message.items() if isinstance(message, dict) else ():
            match name, whole.get(name), value:
                case "tool_calls", _, list():
                    whole[name] = _with_calls(whole.get(name) or [], value)
                case "function_call", dict() as call, dict():
                    whole[name] = _with_call(call, value)
                case ("role", str(), _) | (_, _, None):
                    pass
                case _, str() as said, str():
                    whole[name] = said + value
                case _, (str() | list()) as said, (str() | list()):
                    whole[name] = _parts(said) + _parts(value)
                case _:
                    whole[name] = value
    return whole


def _parts(content: str | list[Any]) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _with_calls(calls: Sequence[Json], more: Sequence[Any]) -> list[Json]:
    """Add pieces of tool calls to the calls of their index; a piece without one is a whole call."""
    merged = list(calls)
    for piece in _dicts(more):
        index = piece.get("index")
        place = next((i for i, call in enumerate(merged) if index is not None and call.get("index") == index), None)
        if place is None:
            merged.append(piece)
        else:
            call = merged[place]
            functions = [each["function"] for each in (call, piece) if isinstance(each.get("function"), dict)]
            function = _with_call(functions[0], functions[1]) if len(functions) == 2 else (functions or [None])[0]
            merged[place] = {**call, "function": function}
    return merged


def _with_call(function: Mapping[str, Any], more: Mapping[str, Any]) -> Json:
    given, added = function.get("arguments"), more.get("arguments")
    joined = given + added if isinstance(given, str) and isinstance(added, str) else added or given
    return {**function, "name": function.get("name") or more.get("name"), "arguments": joined}


def _dicts(values: Any) -> list[Json]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
