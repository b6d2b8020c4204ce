"""What the list of jobs shows: a row a job, and the links that narrow it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import urlencode

from core import shown
from core.job import TERMINAL, ListedJob, Progress, utcnow
from core.queries.lists import Listing, Within
from core.result import Summary
from core.settings import Settings
from web.jobs.figures import ScoreRow, score_rows
from web.jobs.origin import origin
from web.jobs.paid import Paid, paid
from web.jobs.progress import ShownProgress, shown_progress

TICK: Final = timedelta(microseconds=1)
OPEN: Final = "created,pending,running,pausing,paused,resuming,cancelling"
"""What a search by status finds the jobs by that have not ended."""

PRESETS: Final[tuple[tuple[str, dict[str, str]], ...]] = (
    ("all", {}),
    ("open", {"search[status]": OPEN}),
    ("completed", {"filter[status]": "completed"}),
    ("failed", {"filter[status]": "failed"}),
    ("cancelled", {"filter[status]": "cancelled"}),
)
DAMAGED: Final = "Its scores cannot be read; its page says why."
STATUS_KEYS: Final = frozenset(key for _, query in PRESETS for key in query)

Query = Sequence[tuple[str, str]]


class Link(NamedTuple):
    """A link, and whether it is the view that is shown."""

    text: str
    url: str
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job in the list: `headline` is one of its scores; `why` says why it failed, waits, or says little.

    What it has `paid` for is not known before it has ended.
    """

    job: ListedJob
    origin: str
    is_open: bool
    progress: ShownProgress | None
    headline: ScoreRow | None
    others: int
    why: str | None
    seconds: float | None
    targets: list[str]
    paid: Paid | None


class Place(NamedTuple):
    """Where a page of the list begins: at the newest job made `before` then, of which some were `passed` already."""

    before: datetime
    passed: int


def after(listing: Listing, place: Place | None) -> Listing:
    """Return what is asked of the list from a place on; the newest first, so that new jobs move nothing."""
    if place is None:
        return listing
    before = Within(("created_at",), stop=place.before + TICK)
    return Listing((*listing.terms, before), listing.sort, listing.page, listing.page_size, place.passed)


def next_place(jobs: Sequence[ListedJob], place: Place | None) -> Place:
    """Return where the page after one of these jobs begins."""
    last = jobs[-1].created_at
    same = sum(job.created_at == last for job in jobs)
    return Place(last, same + (place.passed if place and place.before == last else 0))


def job_row(
    job: ListedJob, settings: Settings, progress: Progress | None, summaries: Sequence[Summary] | None
) -> JobRow:
    """Return a job as the list shows it, with the prices of the settings; None are summaries that cannot be read."""
    damage, summaries = DAMAGED if summaries is None else None, summaries or ()
    rows = score_rows(summaries)
    telling = summaries.index(shown.least_scored(summaries)) if shown.shortfall(summaries) else 0
    is_open = job.status not in TERMINAL
    return JobRow(
        job=job,
        origin=origin(job),
        is_open=is_open,
        progress=shown_progress(progress) if is_open else None,
        headline=rows[telling] if rows else None,
        others=max(0, len(rows) - 1),
        why=job.failure.message if job.failure else job.note or damage,
        seconds=seconds(job),
        targets=list(dict.fromkeys(each.target for each in summaries)),
        paid=None if job.usage is None else paid(job.usage, settings),
    )


def seconds(job: ListedJob) -> float | None:
    """Return for how long a job has run."""
    if job.started_at is None:
        return None
    return ((job.finished_at or utcnow()) - job.started_at).total_seconds()


def presets(query: Query) -> list[Link]:
    """Return the links that narrow the list by status and leave all else of the query."""
    kept = [(key, value) for key, value in query if key not in STATUS_KEYS]
    now = {key: value for key, value in query if key in STATUS_KEYS}
    return [Link(name, url("/", kept, narrowed), now == narrowed) for name, narrowed in PRESETS]


def url(path: str, query: Query, more: Mapping[str, str] = {}) -> str:
    """Return a path with a query."""
    pairs = [*query, *more.items()]
    return f"{path}?{urlencode(pairs, safe='[],:')}" if pairs else path
