"""What a metric makes of an output's texts: its scores, or why there are none."""

from collections.abc import Mapping
from typing import NamedTuple

Texts = Mapping[str, str]
"""What a metric's templates gave, by the part that they play."""


class Measure(NamedTuple):
    """One score of a metric; the fields are those of `Score`."""

    value: float
    passed: bool | None = None
    detail: str | None = None


def check(value: float) -> Measure:
    """Return the score of a metric that an output passes or fails."""
    return Measure(value, passed=value == 1.0)


class Unparsable(Exception):
    """A text cannot be read as the metric needs it; `part` names the template that gave it."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part
