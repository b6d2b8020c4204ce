"""The tokens of an answer, under whatever names a server counts them."""

import re
from collections.abc import Mapping
from typing import Any, Final

from core.result import Usage

UNCOUNTED: Final = Usage()

PROMPT: Final = (
    "prompt_tokens",
    "input_tokens",
    "promptTokenCount",
    "inputTokens",
    "promptTokens",
    "prompt_eval_count",
    "prompt_token_count",
)
COMPLETION: Final = (
    "completion_tokens",
    "output_tokens",
    "candidatesTokenCount",
    "outputTokens",
    "completionTokens",
    "eval_count",
    "candidates_token_count",
)
TOTAL: Final = ("total_tokens", "totalTokenCount", "totalTokens", "total_token_count")
CACHED: Final = (
    "cached_tokens",
    "prompt_cache_hit_tokens",
    "cache_read_input_tokens",
    "cacheReadInputTokens",
    "cachedContentTokenCount",
    "cached_content_token_count",
)
REASONING: Final = ("reasoning_tokens", "thinking_tokens", "thoughtsTokenCount", "thoughts_token_count")
DETAILS: Final = ("prompt_tokens_details", "input_tokens_details", "completion_tokens_details", "output_tokens_details")


_DIGITS: Final = re.compile(r"[0-9]{1,18}")
PLAIN: Final = {PROMPT[0], COMPLETION[0], TOTAL[0]}
"""The counts of an endpoint that goes into no details."""


def read_usage(answer: Any) -> Usage:
    """Read the token counts of an answer; what is absent or no count is None, a total at least the sum."""
    if not isinstance(answer, dict):
        return UNCOUNTED
    usage = _usage_of(answer)
    prompt, completion, total = _first(usage, PROMPT), _first(usage, COMPLETION), _first(usage, TOTAL)
    if prompt is not None and completion is not None and (total is None or total < prompt + completion):
        total = prompt + completion
    if usage.keys() == PLAIN:
        return Usage(prompt, completion, total)
    details = [usage, *(each for name in DETAILS if isinstance(each := usage.get(name), dict))]
    cached = next((count for each in details if (count := _first(each, CACHED)) is not None), None)
    reasoning = next((count for each in details if (count := _first(each, REASONING)) is not None), None)
    return Usage(prompt, completion, total, cached, reasoning)


def _usage_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return where the counts stand: in a field of their own, an extension, a choice or, with Ollama, at the top."""
    usage = answer.get("usage")
    if isinstance(usage, dict) and usage:
        return usage
    choices = answer.get("choices")
    inside = [answer.get("x_groq"), *(choices if isinstance(choices, list) else ())]
    inside += [each.get("message") for each in inside if isinstance(each, dict)]
    places = (
        answer.get("usageMetadata"),
        answer.get("usage_metadata"),
        *(each.get("usage") for each in inside if isinstance(each, dict)),
    )
    return next((place for place in places if isinstance(place, dict) and place), answer)


def _first(counts: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        if name in counts and (count := _count(counts[name])) is not None:
            return count
    return None


def _count(value: object) -> int | None:
    if (isinstance(value, float) and value.is_integer()) or (isinstance(value, str) and _DIGITS.fullmatch(value)):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None
