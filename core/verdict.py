"""What a person says of an output, beside what metrics say."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

LONGEST_NOTE: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A person's verdict on what a metric is about, on one output: whether it passes, its label, or its value."""

    job_id: str
    task: str
    sample: int
    target: str
    trial: int
    metric: str
    passed: bool | None = None
    label: str | None = None
    value: float | None = None
    note: str | None = None
    updated_at: datetime
