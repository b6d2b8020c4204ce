"""How a judge is told to reply on a scale: in words, and as a JSON Schema."""

from typing import Final, NamedTuple, assert_never

import orjson
from pydantic import JsonValue

from core.metric import JsonParser, Labels, Parsed, Preference, Range, Scale
from tasks.judging.verdict import CHOICES

Schema = dict[str, JsonValue]


class _Member(NamedTuple):
    """A member of the object that is asked for."""

    words: str
    schema: Schema


_FEEDBACK: Final = _Member("a text with your reasons", {"type": "string"})


def instruction(scale: Scale) -> str:
    """Return the text that asks for what `reply_schema` describes; empty if that is None."""
    members = "".join(f"\n- {_quoted(key)}: {member.words}" for key, member in _members(scale).items())
    return f"Reply with one JSON object and nothing else. It has exactly these keys:{members}" if members else ""


def reply_schema(scale: Scale) -> Schema | None:
    """Return the JSON Schema of a reply, or None where the parsers read free text.

    `read_verdict` can read every reply that keeps to it.
    """
    members = _members(scale)
    if not members:
        return None
    properties: Schema = {key: member.schema for key, member in members.items()}
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _members(scale: Scale) -> dict[str, _Member]:
    """Return what the reply holds by key; the reasons come first, so that the verdict follows from them."""
    match scale:
        case Parsed():
            return _numbers(scale)
        case Labels():
            words = f"one of {', '.join(map(_quoted, scale.labels))}"
            return {"feedback": _FEEDBACK, "label": _Member(words, {"type": "string", "enum": [*scale.labels]})}
        case Range():
            return {"feedback": _FEEDBACK, "score": _number(scale.minimum, scale.maximum)}
        case Preference():
            words = '"A" if response A is better, "B" if response B is better, "Tie" if neither is'
            return {"feedback": _FEEDBACK, "choice": _Member(words, {"type": "string", "enum": [*CHOICES]})}
        case _:
            assert_never(scale)


def _numbers(scale: Parsed) -> dict[str, _Member]:
    parsers = [parser for parser in scale.scores.values() if isinstance(parser, JsonParser)]
    if len(parsers) < len(scale.scores):
        return {}
    whole = {parser.path for parser in parsers if parser.whole}  # also for another score that reads the same key
    return {parser.path: _number(parser.minimum, parser.maximum, whole=parser.path in whole) for parser in parsers}


def _number(minimum: float | None, maximum: float | None, *, whole: bool = False) -> _Member:
    words = "a whole number" if whole else "a number"
    schema: Schema = {"type": "integer" if whole else "number"}
    for bound, preposition, key in ((minimum, "from", "minimum"), (maximum, "to", "maximum")):
        if bound is not None:
            words += f" {preposition} {repr(bound).removesuffix('.0')}"
            schema[key] = bound
    return _Member(words, schema)


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()
