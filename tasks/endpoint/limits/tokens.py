"""The tokens of a call before it is made: a guess, which its usage corrects."""

import math
import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from core.result import Usage

BYTES_PER_TOKEN: Final = 4
"""Of a request, before any answer told."""

UNKNOWN: Final = 1_000
"""Tokens of an answer to a request that sets no bound, before any came."""

REMEMBERED: Final = 50
"""The mean follows about so many of the last answers."""

_MOST: Final = re.compile(rb'"(?:max_tokens|max_completion_tokens|num_predict)"\s*:\s*(\d{1,9})')


class Size(NamedTuple):
    """What a request says of its tokens: its bytes, and how many tokens its answer may have."""

    prompt: int
    most: int | None


def size_of(request: bytes) -> Size:
    """Return the size of a request."""
    found = _MOST.search(request)
    return Size(len(request), int(found[1]) if found else None)


@dataclass(slots=True)
class Mean:
    """The mean of about the last values."""

    value: float | None = None
    count: int = 0

    def note(self, value: float) -> None:
        """Take note of a value."""
        self.count = min(self.count + 1, REMEMBERED)
        before = self.value or 0.0
        self.value = before + (value - before) / self.count


@dataclass(slots=True)
class Expected:
    """What one model's requests and answers take, as they came so far."""

    per_byte: Mean = field(default_factory=Mean)
    answer: Mean = field(default_factory=Mean)

    def note(self, size: Size, usage: Usage) -> None:
        """Take note of what a request and its answer took."""
        if usage.prompt_tokens is not None and size.prompt:
            self.per_byte.note(usage.prompt_tokens / size.prompt)
        if usage.completion_tokens is not None:
            self.answer.note(usage.completion_tokens)

    def of(self, size: Size) -> int:
        """Return the tokens that a request may take, with its answer: no more than it allows."""
        per_byte = 1 / BYTES_PER_TOKEN if self.per_byte.value is None else self.per_byte.value
        answer = self.answer.value
        if answer is None:
            answer = UNKNOWN if size.most is None else size.most
        return math.ceil(size.prompt * per_byte + (answer if size.most is None else min(answer, size.most)))
