"""What is counted of calls over all jobs: what each adds, and what is added up between two reports of an engine."""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

from core.result import Call, CallOutcome, Usage

Name = Literal["calls", "retries", "tokens", "seconds", "seconds_up_to"]
"""`calls` by outcome, `tokens` by kind, `seconds_up_to` the calls by the least of the bounds that they keep to."""

BOUNDS_S: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Of a call's seconds, from its first attempt to its end."""

BEYOND: Final = "+Inf"


class Counted(NamedTuple):
    """One number that only grows: of which model, and what of it."""

    name: Name
    model: str
    label: str = ""


class Tally:
    """What the calls have added since it was taken last; any thread may add."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._calls: deque[tuple[str, CallOutcome, int, float, Usage]] = deque()
        self._kept = Counter[Counted]()

    def add(self, model: str, call: Call) -> None:
        """Add a call, of which nothing large is held."""
        self._calls.append((model, call.outcome, call.attempts, call.seconds, call.usage))

    def take(self) -> Mapping[Counted, float]:
        """Return what was added, and begin anew; one thread takes."""
        taken, self._kept = self._kept, Counter()
        for _ in range(len(self._calls)):
            for count, number in _added(*self._calls.popleft()):
                taken[count] += number  # type: ignore[assignment]  # seconds are no whole numbers
        return taken

    def give_back(self, taken: Mapping[Counted, float]) -> None:
        """Keep for the next time what could not be written down."""
        self._kept = Counter(taken)


def _added(
    model: str, outcome: CallOutcome, attempts: int, seconds: float, usage: Usage
) -> Iterator[tuple[Counted, float]]:
    yield Counted("calls", model, outcome), 1
    if attempts:
        yield Counted("seconds", model), seconds
        yield Counted("seconds_up_to", model, bound_of(seconds)), 1
    if attempts > 1:
        yield Counted("retries", model), attempts - 1
    for kind, tokens in (
        ("prompt", usage.prompt_tokens),
        ("completion", usage.completion_tokens),
        ("cached", usage.cached_tokens),
        ("reasoning", usage.reasoning_tokens),
    ):
        if tokens:
            yield Counted("tokens", model, kind), tokens


def bound_of(seconds: float) -> str:
    """Return the least bound that a call of so many seconds keeps to."""
    place = bisect_left(BOUNDS_S, seconds)
    return str(BOUNDS_S[place]) if place < len(BOUNDS_S) else BEYOND
