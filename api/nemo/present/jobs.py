"""From the core's words to NeMo's: a job, its status and its results."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

from api.http.fields import JsonDict
from api.nemo.benchmarks import BENCHMARKS
from api.nemo.schema import responses as wire
from core.job import Count, JobStatus, ListedJob, Progress, utcnow
from core.result import Summary
from store.results.log import LogPage
from store.secrets import mask

STATUS: Final[Mapping[JobStatus, wire.Status]] = {
    "created": "created",
    "pending": "pending",
    "running": "active",
    "pausing": "pausing",
    "paused": "paused",
    "resuming": "resuming",
    "cancelling": "cancelling",
    "cancelled": "cancelled",
    "completed": "completed",
    "failed": "error",
    "unknown": "error",
}

STATUS_V1: Final[Mapping[JobStatus, wire.JobStatusV1]] = {
    "created": "created",
    "pending": "created",  # a public client gives up on `pending`
    "running": "running",
    "pausing": "running",
    "paused": "running",
    "resuming": "running",
    "cancelling": "cancelling",
    "cancelled": "cancelled",
    "completed": "completed",
    "failed": "failed",
    "unknown": "unknown",
}

MESSAGES: Final[Mapping[JobStatus, str]] = {
    "created": "Job is created",
    "pending": "Job is waiting to start",
    "running": "Job is running",
    "pausing": "Job is being paused",
    "paused": "Job is paused",
    "resuming": "Job is being resumed",
    "cancelling": "Job is being cancelled",
    "cancelled": "Job was cancelled",
    "completed": "Job completed successfully.",
    "failed": "Job failed",
    "unknown": "The run that carried out this job is gone",
}

USUAL_TYPES: Final = {"target": "model", "config": "custom"}

RESULT_NAME: Final = "evaluation-results"
ARTIFACTS: Final = "artifacts"
ALMOST_ALL: Final = 99.9

STANDARD_ERRORS: Final[Mapping[str, str]] = {
    "gsm8k-metric_ranking-1": "gsm8k-metric_ranking-2",
    "gsm8k-metric_ranking-3": "gsm8k-metric_ranking-4",
}
"""Scores whose standard errors clients look for as scores of a task of their own."""
"""The progress of a job whose samples are done but not its results: clients wait for 100 to ask for those."""


def to_job(job: ListedJob, progress: Progress | None) -> wire.Job:
    """Return the job as its client sees it."""
    return wire.Job(
        id=job.id,
        name=job.name,
        description=job.description,
        project=job.project,
        namespace=job.namespace,
        created_at=to_time(job.created_at),
        updated_at=to_time(job.updated_at),
        spec=echo(job.request["spec"]),
        status=STATUS[job.status],
        status_details={} if job.status == "created" else status_details(job, progress),
        error_details=error_details(job) or None,
        **mask({"ownership": job.ownership, "custom_fields": job.custom_fields}),
    )


def to_status(job: ListedJob, progress: Progress | None) -> wire.JobStatus:
    """Return the job's status in the words of the platform: one step, carried out by one task."""
    status, details, errors = STATUS[job.status], status_details(job, progress), error_details(job)
    task = wire.StepTask(id=_task_id(job), status=status, status_details={}, error_details=errors, error_stack="")
    step = wire.Step(name="evaluation", status=status, status_details=details, error_details=errors, tasks=[task])
    return wire.JobStatus(job_id=job.id, status=status, status_details=details, error_details=errors, steps=[step])


def to_platform(job: ListedJob, progress: Progress | None) -> wire.PlatformJob:
    """Return the job as the platform that is common to all kinds of jobs shows it."""
    shown = to_job(job, progress)
    attempt = wire.PlatformAttempt(
        job_id=job.id, spec=shown.spec, status=shown.status, status_details=shown.status_details
    )
    return wire.PlatformJob(**shown.model_dump() | {"ownership": shown.ownership or {}}, attempt=attempt)


def to_log(job: ListedJob, page: LogPage) -> wire.LogPage:
    """Return some lines of the job's log."""
    return wire.LogPage(
        data=[
            wire.LogLine(
                job_id=job.id,
                job_step=line.step,
                job_task=_task_id(job),
                message=line.message + "\n",
                timestamp=to_time(line.time),
            )
            for line in page.lines
        ],
        next_page=None if page.next_start is None else to_cursor(page.next_start),
        prev_page=None,
        total=page.total,
    )


def to_cursor(start: int) -> str:
    """Return where a page of a log starts, in a form that says nothing of it."""
    return urlsafe_b64encode(str(start).encode()).decode().rstrip("=")


def of_cursor(cursor: str) -> int:
    """Return where a page of a log starts. Raises ValueError for what is no cursor."""
    return int(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii"))


def to_deleted(entity_id: str) -> wire.Deleted:
    """Return the answer to a deletion."""
    return wire.Deleted(id=entity_id, deleted_at=to_time(utcnow()))


def to_result(job: ListedJob, name: str, url: str) -> wire.JobResult:
    """Return an entry of the job's list of results."""
    finished = to_time(job.finished_at or job.updated_at)
    return wire.JobResult(
        result_name=name,
        job_id=job.id,
        namespace=job.namespace,
        project=job.project,
        created_at=finished,
        updated_at=finished,
        artifact_url=url,
    )


def to_results(job: ListedJob, summaries: Iterable[Summary]) -> wire.EvaluationResult:
    """Return the job's scores; tasks without metrics and groups are shown empty."""
    tasks: dict[str, dict[str, dict[str, wire.Score]]] = {task: {} for task in task_names(job)}
    for summary in summaries:
        tasks.setdefault(summary.task, {}).setdefault(summary.metric, {})[summary.name] = to_score(summary)
        if error := STANDARD_ERRORS.get(summary.name):
            of_errors = tasks.setdefault(f"{summary.task}_stderr", {}).setdefault(f"{summary.metric}_stderr", {})
            of_errors[error] = wire.Score(value="NaN" if summary.stderr is None else summary.stderr, stats=None)
    return wire.EvaluationResult(
        tasks={
            task: wire.TaskResult(metrics={name: wire.MetricResult(scores=scores) for name, scores in metrics.items()})
            for task, metrics in tasks.items()
        },
        groups=_groups(config_of(job).get("groups")),
    )


def to_score(summary: Summary) -> wire.Score:
    """Return a summary as a score; without any scored sample its value is NaN.

    A value of all samples together has no statistics.
    """
    if summary.mean is not None and summary.sum is None:
        return wire.Score(value=summary.mean, stats=None)
    stats = wire.ScoreStats(**{name: getattr(summary, name) for name in wire.ScoreStats.model_fields})
    return wire.Score(value="NaN" if summary.mean is None else summary.mean, stats=stats)


def status_details(job: ListedJob, progress: Progress | None) -> JsonDict:
    """Return how far the job is, in percent, samples and by task, and what is to be said of it."""
    counts = progress.counts if progress else {}
    stages = {task: list(counts.get(task, {}).values()) for task in task_names(job)}
    return {
        "progress": percent(job.status, [count for each in stages.values() for count in each]),
        "samples_processed": sum(min((count.done for count in each), default=0) for each in stages.values()),
        "task_status": {task: task_status(job.status, each) for task, each in stages.items()},
        "message": job.failure.message if job.failure else job.note or MESSAGES[job.status],
    }


def percent(status: JobStatus, counts: Collection[Count]) -> float:
    """Return the part of the work that is done, over all tasks and stages, from 0 to 100."""
    if status == "completed":
        return 100.0
    total = sum(count.total for count in counts)
    done = sum(count.done for count in counts)
    return min(round(100 * done / total, 2), ALMOST_ALL) if total else 0.0


def task_status(status: JobStatus, stages: Collection[Count]) -> wire.TaskStatus:
    """Return the status of one task of a job by what its stages have done.

    There is no word for a cancelled task: what was not finished has failed.
    """
    if status == "completed" or (stages and all(count.done >= count.total for count in stages)):
        return "completed"
    if status in {"failed", "cancelled", "unknown"}:
        return "failed"
    return "running" if any(count.done for count in stages) else "pending"


def error_details(job: ListedJob) -> JsonDict:
    """Return why the job failed; nothing if it did not."""
    if job.failure:
        return job.failure.model_dump()
    if STATUS[job.status] == "error":
        return {"blame": "service", "code": "internal_error", "message": job.note or MESSAGES[job.status]}
    return {}


def echo(spec: JsonDict) -> JsonDict:
    """Return the `spec` of a sealed request as the service shows it.

    Keys are masked, nulls and the names of target and config left out, and the endpoint's format
    is filled in. What a job from elsewhere does not give in these words has a type alone: clients want one.
    """
    shown = without_nulls(mask(spec))
    for part, usual in USUAL_TYPES.items():
        entity = shown.get(part)
        shown[part] = {**entity} if isinstance(entity, dict) else {"type": usual}
        shown[part].pop("name", None)
        shown[part].pop("namespace", None)
    match shown["target"].get("model"):
        case {"api_endpoint": endpoint}:
            endpoint.setdefault("format", "nim")
    return shown


def config_of(job: ListedJob) -> JsonDict:
    """Return the config that the job was asked for with; nothing of one that is a name, or in other words."""
    config = job.request.get("spec", job.request).get("config")
    return config if isinstance(config, dict) else {}


def task_names(job: ListedJob) -> list[str]:
    """Return the names of the job's tasks, in the words of whichever face it was asked for."""
    config, given = config_of(job), job.request.get("spec", job.request).get("tasks")
    if isinstance(given, list):
        return [task["name"] for task in given]
    benchmark = BENCHMARKS.get(config.get("type", ""))
    return list(config.get("tasks") or ([benchmark.task] if benchmark else []))


def to_time(time: datetime) -> str:
    """Return a naive UTC time as NeMo writes it."""
    return time.isoformat(timespec="microseconds")


def _task_id(job: ListedJob) -> str:
    return "task-" + job.id.removeprefix("job-")


def without_nulls(body: JsonDict) -> JsonDict:
    """Return a copy of a body without nulls; those in a list stay, since a null in a row is data."""
    return {
        key: without_nulls(value) if isinstance(value, dict) else value
        for key, value in body.items()
        if value is not None
    }


def _groups(groups: object) -> dict[str, wire.GroupResult]:
    """Return the groups of a config, in which anything may stand if it cannot be carried out."""
    if not isinstance(groups, dict):
        return {}
    inner = {name: group.get("groups") for name, group in groups.items() if isinstance(group, dict)}
    return {name: wire.GroupResult(groups=_groups(each)) for name, each in inner.items()}
