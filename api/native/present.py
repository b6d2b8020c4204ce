"""From the core's values to those of the native API, which have the same words."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from api.native import schema as wire
from core.cost import cost
from core.job import TERMINAL, Job, ListedJob, Progress
from core.result import ModelUsage, Summary
from core.settings import Settings
from store.files.contents import FileRecord
from store.results.log import LogPage
from store.results.statistics import Statistics
from store.secrets import mask
from tasks.slices import Slice

TIMES = ("created_at", "updated_at", "started_at", "finished_at")


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


def to_summaries(summaries: list[Summary]) -> wire.Summaries:
    """Return the summaries of a job."""
    return wire.Summaries(data=[wire.Summary(**asdict(summary), ci_reason=summary.ci_reason) for summary in summaries])


def to_sliced(slices: list[Slice]) -> list[wire.SlicedSummary]:
    """Return the summaries of slices, each with the value that its samples have in common."""
    return [
        wire.SlicedSummary(value=each.value, **asdict(summary), ci_reason=summary.ci_reason)
        for each in slices
        for summary in each.summaries
    ]


def to_statistics(found: Statistics) -> wire.Statistics:
    """Return what was counted of a job."""
    return wire.Statistics(
        histograms=[
            wire.Histogram(
                task=each.task,
                target=each.target,
                metric=each.metric,
                name=each.name,
                bins=[wire.ValueBin(**bin_._asdict()) for bin_ in each.bins],
            )
            for each in found.histograms
        ],
        calls=[wire.CallStatistics(**asdict(each)) for each in found.calls],
        rate=list(found.rate),
        outputs=[wire.OutputStatistics(**asdict(each)) for each in found.outputs],
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


def to_usage(usages: list[ModelUsage], settings: Settings) -> wire.Usage:
    """Return what a job has paid, by model and role, with what that costs by the settings."""
    flat = [
        {**asdict(usage), **asdict(usage.tokens), "cost": cost(usage.tokens, settings.of_model(usage.model))}
        for usage in usages
    ]
    return wire.Usage(data=[wire.ModelUsage(**each) for each in flat])


def to_file(record: FileRecord) -> wire.File:
    """Return an upload."""
    same = {name: getattr(record, name) for name in ("id", "filename", "bytes", "line_count", "sha256")}
    return wire.File(**same, created_at=record.created_at.replace(tzinfo=UTC))


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)
