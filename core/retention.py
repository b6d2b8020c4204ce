"""Which of the jobs that have ended are kept, and which go; no I/O."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from core.errors import InvalidInput
from core.job import SHORT_ID

UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
LONGEST: Final = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that has ended, and what is kept for its sake.

    `series` is what it has in common with its like, such as runs of a schedule. One that is `needed` has verdicts of
    people, or is retried by a job that has not ended.
    """

    id: str
    series: tuple[str, ...]
    finished_at: datetime
    completed: bool
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """What goes: jobs that ended longer ago than `older_than`, but for the `keep` newest of each series.

    Of those that completed as many are kept, however many failed since. Raises InvalidInput for a rule without a bound.
    """

    older_than: timedelta | None = None
    keep: int | None = None

    def __post_init__(self) -> None:
        """Refuse what would mean everything."""
        if self.older_than is None and self.keep is None:
            raise InvalidInput("say what may go: what is older than an age, all but the newest of each name, or both")
        if self.keep is not None and self.keep < 1:
            raise InvalidInput(f"at least 1 job of each name is kept, and not {self.keep}")

    def outlived(self, jobs: Iterable[Ended], now: datetime) -> Iterator[Ended]:
        """Yield the jobs that the rule does not keep, the newest first; those that are needed stay all the same."""
        seen, completed = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
        for job in sorted(jobs, key=lambda each: (each.finished_at, each.id), reverse=True):
            newest = min(seen[job.series], completed[job.series] if job.completed else seen[job.series])
            seen[job.series] += 1
            completed[job.series] += job.completed
            is_old = self.older_than is None or job.finished_at < now - self.older_than
            if is_old and (self.keep is None or newest >= self.keep):
                yield job


def age(text: str) -> timedelta:
    """Return the time that a text such as 12h, 30d or 8w says. Raises InvalidInput."""
    found = re.fullmatch(r"(\d{1,6})([hdw])", text.strip())
    if found is None or not timedelta() < int(found[1]) * UNITS[found[2]] <= LONGEST:
        raise InvalidInput(f"{text!r} is no age: give hours, days or weeks, such as 12h, 30d or 8w")
    return int(found[1]) * UNITS[found[2]]


def series_of(job_id: str, *, namespace: str, name: str, config: str | None, model: str | None) -> tuple[str, ...]:
    """Return the series of a job: its name without the end of its id, or what it is about where it has no name."""
    if name == job_id:
        return namespace, "", config or "", model or ""
    return namespace, name.removesuffix(f"-{job_id[-SHORT_ID:]}")
