"""What can be counted of a job's results besides the means of scores: how often which values came, what calls took."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from core.result import CallOutcome, ModelUsage, Role, Summary
from store.results.samples import Samples

BINS: Final = 20
SPANS: Final = 40

VALUES: Final = """
    WITH spans AS (
        SELECT unnest($task) AS task, unnest($target) AS target, unnest($metric) AS metric, unnest($name) AS name,
               unnest($low) AS low, unnest($high) AS high
    )
    SELECT task, target, metric, name,
           CAST(least(floor((value - low) / (high - low) * $bins), $bins - 1) AS INTEGER) AS bin,
           min(value) AS least, max(value) AS greatest, count(*) AS number
    FROM scores JOIN spans USING (task, target, metric, name)
    WHERE value IS NOT NULL
    GROUP BY ALL ORDER BY ALL"""

CALLS: Final = """
    SELECT role, target, metric, count(*) AS calls, CAST(sum(greatest(attempts - 1, 0)) AS BIGINT) AS retries,
           quantile_cont(seconds, 0.5) AS p50, quantile_cont(seconds, 0.95) AS p95, sum(seconds) AS seconds,
           CAST(sum(prompt_tokens) AS BIGINT) AS prompt_tokens,
           CAST(sum(completion_tokens) AS BIGINT) AS completion_tokens,
           CAST(sum(reasoning_tokens) AS BIGINT) AS reasoning_tokens,
           CAST(sum(cached_tokens) AS BIGINT) AS cached_tokens,
           min(started_at) AS first, max(started_at) AS last, map_entries(histogram(outcome)) AS outcomes
    FROM calls WHERE paid_by IS NULL GROUP BY role, target, metric ORDER BY role DESC, target, metric"""

RATE: Final = """
    WITH own AS (FROM calls WHERE paid_by IS NULL),
    ends AS (SELECT min(epoch(started_at)) AS first, max(epoch(started_at)) AS last FROM own)
    SELECT CAST(least(floor((epoch(started_at) - first) / (last - first) * $spans), $spans - 1) AS INTEGER) AS span,
           count(*) AS number
    FROM own, ends WHERE last > first GROUP BY span ORDER BY span"""

OUTPUTS: Final = """
    SELECT task, target, count(*) AS outputs, count(*) FILTER (truncated) AS truncated, count(*) FILTER (empty) AS empty
    FROM outputs GROUP BY task, target ORDER BY ALL"""


class Bin(NamedTuple):
    """How many values lie from `low` to `high`."""

    low: float
    high: float
    number: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often the values of a score came: each value that came, if they are few and apart, else spans of them."""

    task: str
    target: str
    metric: str
    name: str
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class CallFigures:
    """The calls to a target, or of a metric to its judge, without those that another job has paid for.

    A call's retries are its attempts but the last.
    """

    role: Role
    target: str
    metric: str
    calls: int
    outcomes: dict[CallOutcome, int]
    retries: int
    p50_seconds: float
    p95_seconds: float
    seconds: float
    prompt_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None
    cached_tokens: int | None
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class OutputFigures:
    """How many outputs there are of a target in a task, and how many are cut off or empty."""

    task: str
    target: str
    outputs: int
    truncated: int
    empty: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """All of it; `rate` is how many calls began in each fortieth of the time from the first to the last."""

    histograms: tuple[Histogram, ...]
    calls: tuple[CallFigures, ...]
    rate: tuple[int, ...]
    outputs: tuple[OutputFigures, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """What there is to count of a job's results, the columns that slice them, and what it has paid to each model."""

    statistics: Statistics
    slicing: list[str]
    usage: list[ModelUsage]


def read_statistics(samples: Samples, summaries: Sequence[Summary]) -> Statistics:
    """Count what there is by now; the histograms are of the scores that have summaries."""
    rate = {row["span"]: row["number"] for row in samples.ask(RATE, {"spans": SPANS}, kinds=["calls"]).to_pylist()}
    return Statistics(
        histograms=tuple(_histograms(samples, summaries)),
        calls=tuple(call_figures(samples)),
        rate=tuple(rate.get(span, 0) for span in range(SPANS)) if rate else (),
        outputs=tuple(OutputFigures(*row.values()) for row in samples.ask(OUTPUTS, kinds=["outputs"]).to_pylist()),
    )


def call_figures(samples: Samples) -> Iterator[CallFigures]:
    """Yield what the calls to each target and judge have come to by now."""
    yield from (_call_figures(row) for row in samples.ask(CALLS, kinds=["calls"]).to_pylist())


def _histograms(samples: Samples, summaries: Sequence[Summary]) -> list[Histogram]:
    spans = {
        (each.task, each.target, each.metric, each.name): span
        for each in summaries
        if (span := _span(each)) is not None
    }
    if not spans:
        return []
    keys = dict(zip(("task", "target", "metric", "name"), map(list, zip(*spans, strict=True)), strict=True))
    ends = {"low": [low for low, _ in spans.values()], "high": [high for _, high in spans.values()]}
    found: defaultdict[tuple[str, str, str, str], dict[int, Bin]] = defaultdict(dict)
    for *key, number, least, greatest, count in map(
        dict.values, samples.ask(VALUES, {**keys, **ends, "bins": BINS}, kinds=["scores"]).to_pylist()
    ):
        task, target, metric, name = key
        found[task, target, metric, name][number] = Bin(least, greatest, count)
    return [Histogram(*key, tuple(_bins(found[key], span))) for key, span in spans.items() if key in found]


def _bins(found: dict[int, Bin], span: tuple[float, float]) -> list[Bin]:
    """Return the bins in their order; those of single values by themselves, all others with the empty ones between."""
    if len(found) <= BINS / 2 and all(each.low == each.high for each in found.values()):
        return [found[number] for number in sorted(found)]
    low, high = span
    width = (high - low) / BINS
    edges = [(low + number * width, low + (number + 1) * width) for number in range(BINS)]
    return [Bin(start, stop, found[n].number if n in found else 0) for n, (start, stop) in enumerate(edges)]


def _span(summary: Summary) -> tuple[float, float] | None:
    """Return from where to where a score's values are counted; None if there are none."""
    low, high = summary.scale_min, summary.scale_max
    if low is None or high is None:
        low, high = summary.min, summary.max
    if low is None or high is None or summary.min is None:
        return None
    return (low, high) if low < high else (low, low + 1)


def _call_figures(row: dict[str, object]) -> CallFigures:
    *own, outcomes = row.values()
    role, target, metric, calls, *rest = own
    counts = {each["key"]: each["value"] for each in outcomes}  # type: ignore[attr-defined]
    return CallFigures(role, target, metric, calls, counts, *rest)  # type: ignore[arg-type]
