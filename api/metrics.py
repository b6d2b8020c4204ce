"""What Prometheus asks for, in its text form: numbers about jobs and calls, and no word of a job's."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib.metadata import version
from itertools import accumulate
from typing import Final, get_args

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from api.http.state import CurrentState
from core.counted import BEYOND, BOUNDS_S
from core.job import JobStatus, utcnow
from store.db.measures import Measured

COUNTERS: Final = (
    ("calls", "outcome", "assay_calls", "Calls of jobs to models that have ended, by what came of them"),
    ("tokens", "kind", "assay_tokens", "Tokens of those calls, as their endpoints count them"),
    ("retries", "", "assay_call_retries", "Attempts at those calls beyond the first of each"),
)
BOUNDS: Final = (*map(str, BOUNDS_S), BEYOND)


class _Measured(Collector):
    """What was measured, as Prometheus' library collects it."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        """Return all families."""
        return self._families


def show_metrics(state: CurrentState) -> Response:
    """Answer a scrape; the figures are those of the job tables, so that any API process tells the same."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Measured(families(state.measures.read(), ready=state.ready(), now=utcnow())))
    return Response(
        generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"}
    )


def families(measured: Measured, *, ready: bool, now: datetime) -> Iterator[Metric]:
    """Yield the metrics with their values."""
    waits = max(0.0, (now - measured.waiting_since).total_seconds()) if measured.waiting_since else 0.0
    yield _gauge("assay_ready", "Whether a job can run now, as /health tells", float(ready))
    yield _gauge("assay_queue_age_seconds", "For how long the oldest job waits that has not begun", waits)
    yield _gauge("assay_engines", "Jobs that an engine holds and reports on", measured.engines)
    yield _gauge("assay_workers_at_work", "Worker processes that hold a job", measured.workers)
    jobs = GaugeMetricFamily("assay_jobs", "Jobs that are kept, by status", labels=["status"])
    for status in get_args(JobStatus):
        jobs.add_metric([status], measured.jobs.get(status, 0))
    yield jobs
    built = GaugeMetricFamily("assay_build_info", "The release that answers", labels=["version"])
    built.add_metric([version("assay-evals")], 1)
    yield built
    for name, label, family, about in COUNTERS:
        counter = CounterMetricFamily(family, about, labels=["model", *([label] if label else [])])
        for count, value in sorted(measured.counts.items()):
            if count.name == name:
                counter.add_metric([count.model, *([count.label] if label else [])], value)
        yield counter
    yield _seconds(measured)


def _seconds(measured: Measured) -> HistogramMetricFamily:
    about = "Seconds of those calls, from the first attempt to the end, waits between attempts included"
    histogram = HistogramMetricFamily("assay_call_seconds", about, labels=["model"])
    for count, total in sorted(measured.counts.items()):
        if count.name == "seconds":
            own = [measured.counts.get(count._replace(name="seconds_up_to", label=bound), 0.0) for bound in BOUNDS]
            histogram.add_metric([count.model], list(zip(BOUNDS, accumulate(own), strict=True)), total)
    return histogram


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value=value)
