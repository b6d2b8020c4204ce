"""From a job's summaries and counts to what the native API shows of them."""

from dataclasses import asdict

from api.native.schema import results as wire
from core.result import Summary
from store.results.statistics import Statistics
from tasks.summaries.slices import Slice


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
