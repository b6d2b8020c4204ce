"""From jobs to what the native API shows of them, in the same words."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from api.native.schema import jobs as wire
from core.cost import cost
from core.job import TERMINAL, Job, ListedJob, Progress
from core.result import ModelUsage
from core.settings import Settings
from store.results.log import LogPage
from store.secrets import mask

TIMES: Final = ("created_at", "updated_at", "started_at", "finished_at")


def to_job(job: Job, progress: Progress | None) -> wire.JobRecord:
    """Return a job as it is shown."""
    spec = mask(job.spec.model_dump(mode="json")) if job.spec else None
    return wire.JobRecord(**dict(to_listed(job, progress)), spec=spec)


def to_listed(job: ListedJob, progress: Progress | None) -> wire.ListedJob:
    """Return a job as a list shows it."""
    same = {
        name: getattr(job, name) for name in wire.ListedJob.model_fields if name not in ("progress", "bounds", *TIMES)
    }
    counts = progress.counts if progress else {}
    return wire.ListedJob(
        **same,
        **{name: _utc(getattr(job, name)) for name in TIMES},
        progress={
            task: {stage: wire.Progress(done=count.done, total=count.total) for stage, count in stages.items()}
            for task, stages in counts.items()
        },
        bounds=list(progress.bounds) if progress and job.status not in TERMINAL else [],
    )


def to_log(page: LogPage) -> wire.LogLines:
    """Return some lines of a log."""
    lines: list[dict[str, Any]] = [line._asdict() | {"time": _utc(line.time)} for line in page.lines]
    return wire.LogLines(
        data=[wire.LoggedLine(**line) for line in lines],
        next_cursor=page.next_start,
        end_cursor=page.end,
        total=page.total,
    )


def to_usage(usages: Sequence[ModelUsage], settings: Settings) -> wire.Usage:
    """Return what a job has paid, by model and role, with what that costs by the settings."""
    flat = [
        {**asdict(usage), **asdict(usage.tokens), "cost": cost(usage.tokens, settings.of_model(usage.model))}
        for usage in usages
    ]
    return wire.Usage(data=[wire.ModelUsage(**each) for each in flat])


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)
