"""How far a job has come, how fast it goes and when it may be done, from its engine's last report."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from core.job import STAGES, Count, Progress

LEAST_S = 1.0
"""Before an engine has worked so long, its rate means nothing."""


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How many samples of a task have passed a stage, of how many."""

    task: str
    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ShownProgress:
    """How far a job is: samples that have passed all stages, and steps, of which a sample has one in each stage.

    `rate` is in samples a second, and `left_s` the seconds that the rest takes at that rate.
    """

    done: int
    total: int
    share: float
    rate: float | None
    left_s: float | None
    stages: tuple[StageProgress, ...]
    heard_at: datetime
    bounds: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The samples that are through, of how many."""
        return f"{self.done:,} of {self.total:,}"


def shown_progress(progress: Progress | None) -> ShownProgress | None:
    """Return how far a job has come; None before its engine has told."""
    if progress is None or not any(progress.counts.values()):
        return None
    steps = [count for stages in progress.counts.values() for count in stages.values()]
    last = [stages[max(stages, key=STAGES.index)] for stages in progress.counts.values() if stages]
    done, total = _sum(last)
    passed, of = _sum(steps)
    rate = passed / progress.worked_s * total / of if progress.worked_s >= LEAST_S and of and passed else None
    return ShownProgress(
        done=done,
        total=total,
        share=passed / of if of else 0.0,
        rate=rate,
        left_s=(of - passed) / of * total / rate if rate else None,
        stages=tuple(
            StageProgress(task, stage, count.done, count.total)
            for task, stages in progress.counts.items()
            for stage, count in stages.items()
        ),
        heard_at=progress.heartbeat_at,
        bounds=progress.bounds,
    )


def _sum(counts: Iterable[Count]) -> tuple[int, int]:
    counts = list(counts)
    return sum(each.done for each in counts), sum(each.total for each in counts)
