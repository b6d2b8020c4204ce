"""What a sandbox is: it runs a user's evaluator on one item, within limits, and never raises for what that does."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Protocol

from pydantic import Field

LARGEST: Final = 1e100

Cause = Literal["time", "memory", "print", "request", "exception", "result", "lost"]
"""What an evaluation failed by: a limit, its own exception, what it returned, or the end of its process."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one evaluation: seconds, bytes, calls within calls, and characters.

    `request` bounds source and item as JSON, `source_length` the source alone, of which what is made to read it takes a
    thousand times as much; of what is `printed`, the beginning is kept.
    """

    seconds: float = 2.0
    memory: int = 64_000_000
    depth: int = 1_000
    printed: int = 1_000_000
    request: int = 2_000_000
    source_length: int = 200_000


LIMITS: Final = Limits()

COSTLY: Final[frozenset[Cause]] = frozenset({"time", "memory", "print", "lost"})
"""The causes by which an evaluation takes long, or its process with it."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The score that an evaluator gave, and the beginning of what it printed."""

    value: Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
    printed: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is no score; `error` names the limit, or the exception and the line of the evaluator."""

    cause: Cause
    error: str
    printed: str = ""


class Sandbox(Protocol):
    """Runs evaluators: sources that define `run_evaluation(item)`."""

    def check(self, source: str) -> None:
        """Raise SpecInvalid naming the line and construct of a source that cannot be run."""

    def run(self, source: str, item: Any) -> Evaluated | Failed:
        """Evaluate one item, a JSON value, with nothing left over from earlier ones."""
