"""What an endpoint says of a request that it did not answer: its message, its codes, and the fields that it names."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

_MESSAGE_LENGTH: Final = 4000
_SHOWN: Final = 80

FILTERED: Final = frozenset(
    {
        "content_filter",
        "content_filtered",
        "content_policy_violation",
        "contentpolicyviolationerror",
        "responsibleaipolicyviolation",
        "data_inspection_failed",
        "datainspectionfailed",
        "moderation_blocked",
        "content_moderation",
        "content_blocked",
        "prompt_blocked",
        "sensitive_words_detected",
        "cyber_policy_violation",
        "prohibited_content",
        "blocklist",
        "safety",
        "1301",
    }
)
"""Codes of requests that are refused for what they say: OpenAI, Azure, LiteLLM, DashScope, Gemini, new-api, Zhipu."""

FILTERED_SAYS: Final = (
    "content exists risk",
    "content management policy",
    "potentially violating our usage policy",
    "input was flagged",
    "flagged by moderation",
    "blocked by guardrail",
)
"""The same in the words of those that have no code for it: DeepSeek, Azure behind gateways, OpenAI, OpenRouter."""

EXHAUSTED: Final = frozenset(
    {
        "insufficient_quota",
        "insufficient_user_quota",
        "insufficient_balance",
        "insufficient_credits",
        "exceeded_current_quota_error",
        "billing_hard_limit_reached",
        "billing_not_active",
        "access_terminated",
        "arrearage",
        "credits_exhausted",
        "credit_limit",
        "budget_exceeded",
        "1113",
    }
)
"""Codes of what no waiting mends: OpenAI, new-api, OpenRouter, Moonshot, DashScope, Zhipu."""

PASSING: Final = frozenset(
    {
        "overloaded_error",
        "overloaded",
        "engine_overloaded",
        "server_error",
        "internal_error",
        "internal_server_error",
        "api_error",
        "service_unavailable",
        "timeout",
        "rate_limit_error",
        "rate_limit_exceeded",
        "too_many_requests",
        "resource_exhausted",
        "unavailable",
        "stream_cut",
    }
)
"""Codes of errors that pass, of endpoints that send them with a status of 200."""

TOO_LARGE_SAYS: Final = "request too large"
"""How OpenAI and Groq say, with a status of 429, that one request is above the limit of tokens in a minute."""

EXHAUSTED_SAYS: Final = (
    "credit balance is too low",
    "used all available credits",
    "insufficient balance",
    "insufficient credit",
    "api usage limits",
)
"""The same in the words of those that have no code for it: Anthropic, xAI, DeepSeek."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an endpoint says: its message, codes in lower case, the fields it names apart, and a status in the body."""

    message: str = ""
    codes: frozenset[str] = frozenset()
    fields: tuple[str, ...] = ()
    status: int | None = None

    @property
    def is_refusal(self) -> bool:
        """Whether the request was refused for what it says; the message may quote anything, and so counts in full."""
        said = self.message.lower()
        return not FILTERED.isdisjoint(self.codes) or any(words in said for words in FILTERED_SAYS)

    @property
    def is_exhausted(self) -> bool:
        """Whether the account has nothing left to pay with."""
        message = self.message.lower()
        spent = self.status == 402 or any(words in message for words in EXHAUSTED_SAYS)
        return spent or not EXHAUSTED.isdisjoint(self.codes)

    @property
    def is_too_large(self) -> bool:
        """Whether the request alone is above a limit, which no waiting mends."""
        return self.message.lower().startswith(TOO_LARGE_SAYS)

    @property
    def may_pass(self) -> bool:
        """Whether its codes are those of errors that pass."""
        return not PASSING.isdisjoint(self.codes)


SILENT: Final = Complaint()


def read_complaint(answer: Any) -> Complaint:
    """Read what an answer says of an error, wherever endpoints put that; nothing if it says nothing."""
    if isinstance(answer, list):  # as Google wraps it
        answer = next((each for each in answer if isinstance(each, dict)), None)
    if not isinstance(answer, dict):
        return SILENT
    error = answer.get("error")
    places = [error, *(answer.get(name) for name in ("message", "detail", "errors", "msg", "Message", "title"))]
    message = next((text for place in places if place and (text := quoted(place))), "")
    inner = [each for each in (error, answer) if isinstance(each, dict)]
    return Complaint(
        message=message[:_MESSAGE_LENGTH],
        codes=frozenset(_codes(inner)),
        fields=tuple(_fields(inner)),
        status=next((status for each in inner if (status := _status(each)) is not None), None),
    )


def complaint_of(error: Any) -> Complaint:
    """Read an error that stands by itself, as in a choice."""
    return read_complaint({"error": error})


def quoted(error: Any) -> str:
    """Return the text of an error: its message, with what its provider said; of a list all of it."""
    match error:
        case str():
            return error
        case list():
            return "; ".join(text for each in error if (text := quoted(each)))
        case dict():
            return _of_object(error)
        case _:
            return ""


def _of_object(error: Json) -> str:
    if isinstance(error.get("msg"), str) and isinstance(error.get("loc"), list):
        return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"
    names = ("message", "msg", "detail", "error", "errors", "reason", "title")
    message = next((text for name in names if (text := quoted(error.get(name)))), "")
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    said = raw if isinstance(raw, str) else orjson.dumps(raw).decode() if raw else ""
    return f"{message}: {said}" if message and said and said not in message else message or said


def _codes(objects: Iterable[Json]) -> Iterator[str]:
    for each in objects:
        inner = each.get("innererror") or each.get("inner_error")
        details = each.get("details")
        yield from _texts(each, "code", "type", "status", "reason", "error_type", "__type")
        if isinstance(inner, dict):
            yield from _texts(inner, "code")
        for detail in details if isinstance(details, list) else ():
            if isinstance(detail, dict):
                yield from _texts(detail, "reason")
                yield from _day_quota(detail)
        for detail in _listed(each):
            yield from _texts(detail, "type")


def _day_quota(detail: Json) -> Iterator[str]:
    """Yield the code of an exhausted quota for Google's quotas of a day, which come with a delay all the same."""
    violations = detail.get("violations")
    for violation in violations if isinstance(violations, list) else ():
        if isinstance(violation, dict) and "PerDay" in str(violation.get("quotaId")):
            yield "insufficient_quota"


def _texts(place: Json, *names: str) -> Iterator[str]:
    for name in names:
        value = place.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield str(value).lower()


def _fields(objects: Iterable[Json]) -> Iterator[str]:
    """Yield the fields that are named apart from the message: OpenAI's `param`, FastAPI's `loc`."""
    for each in objects:
        param = each.get("param")
        if isinstance(param, str) and param:
            yield from param.replace(",", " ").split()
        for detail in _listed(each):
            loc = detail.get("loc")
            if isinstance(loc, list):
                yield ".".join(str(part) for part in loc if part != "body")


def _listed(place: Json) -> list[Json]:
    detail = place.get("detail") or place.get("errors")
    return [each for each in detail if isinstance(each, dict)] if isinstance(detail, list) else []


def _status(place: Json) -> int | None:
    """Return the HTTP status that an error in a body has, as a number or the text of one."""
    for name in ("code", "status", "status_code", "http_code"):
        value = place.get(name)
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) == 3:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
            return value
    return None


def whole_complaint(status: int, headers: Mapping[str, str], complaint: Complaint, text: str, *, is_json: bool) -> str:
    """Say in a line what came in the place of an answer."""
    if complaint.message:
        return f"HTTP {status}: {complaint.message}"
    if not is_json:
        kind = headers.get("content-type", "of no type")
        return f"HTTP {status}: the answer is not JSON but {kind}: {text[:_SHOWN]!r}"
    return f"HTTP {status}: the answer has no choices: {text[:_SHOWN]!r}"


def host_of(headers: Mapping[str, str]) -> str:
    """Return the host that a redirect leads to."""
    try:
        return urlsplit(headers.get("location", "")).hostname or "another path"
    except ValueError:
        return "an invalid URL"
