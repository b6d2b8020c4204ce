"""A request that a model refuses for one of its fields, changed so that it does not; no I/O.

The rules are in `change_for`. What was found out about a model is remembered by `Quirks`, and applied to its next
requests before they are sent.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import orjson

from tasks.endpoint.complaint import Complaint
from tasks.endpoint.reply import Reading

Fields = dict[str, Any]

REFUSING: Final = frozenset({400, 404, 415, 422, 424, 500, 501})
"""The statuses with which endpoints refuse a request for a field."""

TOKENS: Final = ("max_tokens", "max_completion_tokens")
SYSTEM: Final = "system role"
SCHEMA: Final = "response_format"

NAMES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        TOKENS,
        r"max_(?:completion_|new_|output_)?tokens|maxOutputTokens|maxTokens|maxCompletionTokens|maximum tokens"
        r"|requested token count",
    ),
    "top_p": r"top_p|topP",
    "top_k": r"top_k|topK",
    "min_p": r"min_p",
    "presence_penalty": r"presence_penalty|presencePenalty",
    "frequency_penalty": r"frequency_penalty|frequencyPenalty",
    "repetition_penalty": r"repetition_penalty",
    "logit_bias": r"logit_bias",
    "parallel_tool_calls": r"parallel_tool_calls",
    "reasoning_effort": r"reasoning_effort",
    "response_format": r"response_?format|json_schema|json_object|response_?schema|guided_\w+|structured outputs?",
    "stop": r"stop_sequences?|stopSequences|stop sequences?",
    "temperature": r"(?!)",
    "seed": r"(?!)",
    "user": r"(?!)",
    "store": r"(?!)",
}
"""The fields that may be left out, and the words for them in messages; a plain word counts if it is set off."""

_SET_OFF: Final = (
    r"[`'\"\u201c]{0}[`'\"\u201d]|\b{0} (?:is|must|does|should|value|param|cannot|not|was|has|range|and|only)\b|"
    r"(?:parameter|parameters|field|argument|supplied|key)[:\s\[]+{0}\b|"
    r"\b(?:invalid|support|unsupported|unknown|this model:) {0}\b"
)
_MESSAGES: Final = {
    field: re.compile(rf"\b(?:{words})\b|{_SET_OFF.format(field)}", re.IGNORECASE) for field, words in NAMES.items()
}
_CONTEXT: Final = re.compile(r"context.{0,3}(?:length|window|size)|inputs` tokens", re.IGNORECASE)
_CONTEXT_SIZE: Final = re.compile(
    r"(?:context (?:length|window|size)(?: is| of)?(?: only)?|must be <=)\s*:?\s*(\d[\d,]{0,11})", re.IGNORECASE
)
_INPUT_SIZE: Final = re.compile(
    r"(\d[\d,]{0,11}) (?:input tokens|in the (?:messages|prompt)|of text input|`inputs` tokens|"
    r"tokens (?:from the input|in the (?:messages|prompt)))|(?:has|passed|given:) (\d[\d,]{0,11}) (?:`inputs`|input)",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"(?<![\w.-])\d[\d,]{0,11}(?![\w-])")
_UNKNOWN: Final = re.compile(
    r"unsupported param|not supported|unrecognized|unknown|unexpected|extra (?:inputs|fields)|not permitted|"
    r"deprecated|does not support|instead",
    re.IGNORECASE,
)
_UNKNOWN_CODES: Final = frozenset(
    {"unsupported_parameter", "unknown_parameter", "extra_forbidden", "value_error.extra"}
)
_NO_SYSTEM: Final = re.compile(
    r"system (?:role|message|prompt|instruction)s?\b.{0,40}\b(?:not|un)|(?:not|n't) support.{0,20}['\"]?system\b|"
    r"developer instruction is not|roles must alternate|only user and assistant|unexpected message role",
    re.IGNORECASE,
)
_SOME_FIELD: Final = re.compile(
    r"(?:handle|support)s? (?:all |any of )?the (?:requested|given|provided) param", re.IGNORECASE
)
RARE_FIRST: Final = (
    *("response_format", "logit_bias", "parallel_tool_calls", "reasoning_effort", "min_p", "top_k"),
    *("repetition_penalty", "seed", "presence_penalty", "frequency_penalty", "stop", "top_p", "temperature", *TOKENS),
)
"""The fields in the order in which they are left out where an endpoint refuses one and does not say which."""

_TOGETHER: Final = re.compile(r"\bboth\b|only one|together|at the same time", re.IGNORECASE)
_LOOKED_AT: Final = 4000


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to a field of a request: left out or lowered `above` a value, renamed, or its role folded.

    `why` is what the endpoint said. A change that the endpoint did not ask for by name is `guessed`; one that depends
    on the length of the prompt is not `lasting`.
    """

    field: str
    how: Literal["left out", "lowered", "renamed", "folded"]
    why: str
    above: int | None = None
    to: str | None = None
    guessed: bool = False
    lasting: bool = True

    def applies(self, fields: Mapping[str, Any]) -> bool:
        """Tell whether there is anything to change."""
        if self.how == "folded":
            return any(_role(message) in ("system", "developer") for message in _messages(fields))
        return self.field in fields and (self.above is None or _is_above(fields[self.field], self.above))

    def apply(self, fields: Fields) -> Fields:
        """Return the fields with the change made."""
        match self.how:
            case "folded":
                return {**fields, "messages": _folded(_messages(fields))}
            case "lowered":
                return {**fields, self.field: self.above}
            case "renamed":
                return {self.to or name if name == self.field else name: value for name, value in fields.items()}
            case "left out":
                return {name: value for name, value in fields.items() if name != self.field}

    def __str__(self) -> str:
        """Say it in a line."""
        done = {
            "folded": "the system message goes with the user's",
            "lowered": f"{self.field} is lowered to {self.above}",
            "renamed": f"{self.field} is sent as {self.to}",
            "left out": f"{self.field} is left out" + (f" above {self.above}" if self.above else ""),
        }[self.how]
        return (
            f"{done}, since the endpoint says: {self.why}" if self.why else f"{done}, since there is no answer with it"
        )


class Asked(NamedTuple):
    """A request as it is to be sent, and the changes that were made to it."""

    body: bytes
    changes: tuple[Change, ...] = ()

    def with_change(self, change: Change) -> "Asked":
        """Return the request with one more change."""
        return Asked(orjson.dumps(change.apply(orjson.loads(self.body))), (*self.changes, change))


class Quirks:
    """What is known of the fields that one model does not take."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._changes: dict[str, Change] = {}
        self._taken: set[str] = set()

    def asked(self, request: bytes) -> Asked:
        """Return a request as this model takes it."""
        if not self._changes:
            return Asked(request)
        fields, made = orjson.loads(request), []
        for change in self._changes.values():
            if change.applies(fields):
                fields = change.apply(fields)
                made.append(change)
        return Asked(orjson.dumps(fields), tuple(made)) if made else Asked(request)

    def remember(self, change: Change) -> None:
        """Make this change to the next requests too; the last one to a field holds."""
        if change.lasting:
            self._changes.pop(change.field, None)  # it goes last: it may be about what another one made
            self._changes[change.field] = change

    def confirm(self, asked: Asked, field: str) -> None:
        """Take note of an answer: to a request with the field, or to one without it on a guess, which then was right.

        A model that has once taken the field is not thought to refuse it.
        """
        guess = next((change for change in asked.changes if change.field == field and change.guessed), None)
        if guess is None:
            self._taken.add(field)
        elif field not in self._taken:
            self.remember(guess)


def change_for(reading: Reading, status: int | None, asked: Asked, *, may_drop: Collection[str] = ()) -> Change | None:
    """Return the change after which a model may take a request that it refused; None if there is none to make.

    Fields that `may_drop` are left out also where the endpoint does not name them, or says nothing to the request.
    """
    if not reading.empty and (status not in REFUSING or reading.outcome not in ("error", "transient")):
        return None
    fields = orjson.loads(asked.body)
    if not isinstance(fields, dict):
        return None
    change = None if reading.empty else _named(reading.complaint, fields, asked.changes)
    if change is None and (field := next((name for name in may_drop if name in fields), None)):
        change = Change(field, "left out", reading.complaint.message[:_LOOKED_AT], guessed=True)
    return change


def _named(complaint: Complaint, fields: Fields, made: Sequence[Change]) -> Change | None:
    """Return the change that an error asks for by naming a field."""
    message = complaint.message[:_LOOKED_AT]
    why = message[:200]
    folding = Change(SYSTEM, "folded", why)
    if (_NO_SYSTEM.search(message) or _about_role(complaint)) and folding.applies(fields):
        return folding
    tokens = next((name for name in TOKENS if name in fields), None)
    if tokens and _CONTEXT.search(message) and _CONTEXT_SIZE.search(message):
        return _fitting(tokens, fields, message)
    found = [name for name in complaint.fields if name in NAMES and name in fields]
    found += sorted(
        (name for name in NAMES if name in fields and name not in found and _MESSAGES[name].search(message)),
        key=lambda name: match.start() if (match := _MESSAGES[name].search(message)) else 0,
    )
    if not found and _SOME_FIELD.search(message):
        found = [name for name in RARE_FIRST if name in fields]
    if not found:
        return None
    if tokens in found[:1]:
        return _of_tokens(tokens, fields, complaint, made)
    if {"temperature", "top_p"} <= set(found) and _TOGETHER.search(message):
        return Change("top_p", "left out", why)
    return Change(found[0], "left out", why)


def _about_role(complaint: Complaint) -> bool:
    return any(name.startswith("messages") and name.endswith("role") for name in complaint.fields)


def _of_tokens(field: str, fields: Fields, complaint: Complaint, made: Sequence[Change]) -> Change:
    """Return what is to be done about a limit of tokens: another name, the value that is allowed, or no limit."""
    message = complaint.message[:_LOOKED_AT]
    why = message[:200]
    other = TOKENS[1 - TOKENS.index(field)]
    asked_for = fields[field]
    allowed = [number for number in _numbers(message) if _is_above(asked_for, number)]
    was_lowered = any(change.field == field and change.how == "lowered" for change in made)
    was_renamed = any(change.how == "renamed" for change in made)
    is_unknown = not _UNKNOWN_CODES.isdisjoint(complaint.codes) or _UNKNOWN.search(message)
    if is_unknown and not was_renamed and other not in fields:
        return Change(field, "renamed", why, to=other)
    if allowed and not is_unknown and not was_lowered:
        return Change(field, "lowered", why, above=max(allowed) - ("exclusive" in message))
    return Change(field, "left out", why, above=None if is_unknown else max(allowed, default=None))


def _fitting(field: str, fields: Fields, message: str) -> Change | None:
    """Return what is to be done where prompt and answer do not fit into a model's context together.

    Without a limit a chat has what the prompt leaves; a completion would have few tokens.
    """
    asked_for, numbers = fields[field], _numbers(message)
    if asked_for not in numbers and not _MESSAGES[field].search(message):
        return None  # the prompt is too long by itself
    size, given = _CONTEXT_SIZE.search(message), _INPUT_SIZE.search(message)
    room = _number(size[1]) - _number(given[1] or given[2]) if size and given else None
    if room is not None and room <= 0:
        return None
    if "prompt" in fields:
        return Change(field, "lowered", message[:200], above=room, lasting=False) if room else None
    return Change(field, "left out", message[:200], above=room)


def _numbers(message: str) -> list[int]:
    return [number for found in _NUMBER.findall(message) if (number := _number(found)) > 0]


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _is_above(value: Any, limit: int) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > limit


def _messages(fields: Mapping[str, Any]) -> list[Any]:
    messages = fields.get("messages")
    return messages if isinstance(messages, list) else []


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else None


def _folded(messages: Sequence[Any]) -> list[Any]:
    """Put what the system says before what the user says first."""
    said = [message for message in messages if _role(message) in ("system", "developer")]
    rest = [message for message in messages if _role(message) not in ("system", "developer")]
    parts = [part for message in said for part in _parts(message.get("content"))]
    place = next((i for i, message in enumerate(rest) if _role(message) == "user"), None)
    if place is None:
        return [{"role": "user", "content": _content(parts)}, *rest]
    user = rest[place]
    whole = {**user, "content": _content([*parts, *_parts(user.get("content"))])}
    return [*rest[:place], whole, *rest[place + 1 :]]


def _parts(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [{"type": "text", "text": content or ""}]


def _content(parts: Sequence[Any]) -> Any:
    """Return parts as one text where they are nothing else."""
    if all(isinstance(part, dict) and part.get("type") == "text" for part in parts):
        return "\n\n".join(str(part.get("text")) for part in parts)
    return list(parts)
