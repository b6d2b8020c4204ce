"""From the core's values to Nugen's words: an evaluation's status, results and place in a list."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, overload

from api.nugen.present.arithmetic import answers, compare, metrics_of, statistics_of
from api.nugen.schema import responses as wire
from api.nugen.schema.requests import MODELS
from api.nugen.translate import TARGETS, TASK
from core.job import Count, JobStatus, ListedJob, Progress
from core.result import Summary

STATUS: Final[Mapping[JobStatus, wire.Status]] = {
    "created": "PROCESSING",
    "pending": "PROCESSING",
    "running": "PROCESSING",
    "pausing": "PROCESSING",
    "paused": "PROCESSING",
    "resuming": "PROCESSING",
    "cancelling": "PROCESSING",
    "cancelled": "FAILED",
    "completed": "READY",
    "failed": "FAILED",
    "unknown": "FAILED",
}
WORDS: Final[Mapping[str, wire.Status]] = {
    "processing": "PROCESSING",
    "pending": "PROCESSING",
    "in_progress": "PROCESSING",
    "ready": "READY",
    "completed": "READY",
    "failed": "FAILED",
}
"""What a list can be asked for by status, also in the words of earlier generations."""

QUEUED: Final = "Evaluation created successfully and queued for execution"
USER: Final = "local"


def statuses(word: str) -> tuple[JobStatus, ...]:
    """Return the statuses of jobs that a status in a list's query means. Raises ValueError for an unknown one."""
    wanted = WORDS.get(word.lower())
    if wanted is None:
        raise ValueError("use PROCESSING, READY or FAILED")
    return tuple(status for status, shown in STATUS.items() if shown == wanted)


def to_created(job: ListedJob) -> wire.EvaluationCreated:
    """Return the answer to a request for an evaluation, which has yet to begin."""
    return wire.EvaluationCreated(
        evaluation_id=job.id,
        model_id=job.request["model_id"],
        status="PROCESSING",
        benchmark_id=job.request["benchmark_id"],
        created_at=to_time(job.created_at),
        message=QUEUED,
    )


def to_status(job: ListedJob, progress: Progress | None, now: datetime) -> wire.EvaluationStatus:
    """Return how far an evaluation is; where it compares, a question counts for each model."""
    status = STATUS[job.status]
    models = len(models_of(job))
    judged = progress.counts.get(TASK, {}).get("judge", Count()) if progress else Count()
    # The requests of older jobs do not say it.
    total = job.request.get("num_questions", judged.total) * models
    done = total if status == "READY" else judged.done * models
    seconds = _seconds_each(job, done, now) if status == "PROCESSING" else None
    left = 0 if status == "READY" else None
    return wire.EvaluationStatus(
        evaluation_id=job.id,
        status=status,
        benchmark_id=job.request["benchmark_id"],
        progress=f"{done}/{total} questions",
        questions_completed=done,
        total_questions=total,
        avg_time_per_question=seconds,
        eta_seconds=left if seconds is None else round(seconds * (total - done), 1),
        start_time=to_time(job.started_at),
        end_time=to_time(job.finished_at),
        error=failure_of(job),
    )


def to_detail(status: wire.EvaluationStatus, job: ListedJob, figures: wire.Figures) -> wire.EvaluationDetail:
    """Return all that is known of an evaluation; without figures before its end."""
    return wire.EvaluationDetail(
        **dict(status),
        **dict(figures),
        model_id=job.request["model_id"],
        model_id_2=job.request.get("model_id_2"),
        baseline_model_id=job.request.get("baseline_model_id"),
        evaluation_name=job.description,
        judge_provider=job.request["judge_provider"],
        created_at=to_time(job.created_at),
    )


def to_figures(job: ListedJob, summaries: Sequence[Summary]) -> wire.Figures:
    """Return the figures of an evaluation's one model, or of its two."""
    of_targets = {name: [each for each in summaries if each.target == name] for name in models_of(job)}
    if len(of_targets) == 1:
        return wire.Figures(metrics=metrics_of(summaries))
    base, evaluated = (
        wire.ModelMetrics(model_id=model, metrics=statistics_of(of_targets[name]))
        for name, model in models_of(job).items()
    )
    return wire.Figures(base_model=base, eval_model=evaluated, comparison=compare(base.metrics, evaluated.metrics))


def to_results(job: ListedJob, summaries: Sequence[Summary]) -> wire.EvaluationResults:
    """Return what a finished evaluation came to."""
    return wire.EvaluationResults(
        **dict(to_figures(job, summaries)),
        evaluation_id=job.id,
        model_id=job.request["model_id"],
        model_id_2=job.request.get("model_id_2"),
        baseline_model_id=job.request.get("baseline_model_id"),
        benchmark_id=job.request["benchmark_id"],
        status=STATUS[job.status],
        method="eval" if len(models_of(job)) == 1 else "eval-compare",
        raw_answers_count=answers(summaries),
        created_at=to_time(job.created_at),
        completed_at=to_time(job.finished_at),
    )


def to_listed(job: ListedJob, summaries: Sequence[Summary] | None) -> wire.ListedEvaluation:
    """Return an evaluation as a list shows it; `summaries` are None before its end."""
    return wire.ListedEvaluation(
        evaluation_id=job.id,
        model_id=job.request["model_id"],
        benchmark_id=job.request["benchmark_id"],
        status=STATUS[job.status],
        judge_provider=job.request["judge_provider"],
        created_at=to_time(job.created_at),
        metrics=to_figures(job, summaries).metrics if summaries else None,
    )


def failure_of(job: ListedJob) -> str | None:
    """Return why an evaluation has failed; None if it has not."""
    if STATUS[job.status] != "FAILED":
        return None
    if job.failure is not None:
        return job.failure.message
    return "The evaluation was cancelled" if job.status == "cancelled" else "The evaluation's flow run is gone"


def models_of(job: ListedJob) -> dict[str, str]:
    """Return the models that are asked, by the names of their targets, the base first where there are two."""
    models = [model for field in MODELS if (model := job.request.get(field)) is not None]
    return dict(zip(TARGETS[len(models)], models, strict=True))


@overload
def to_time(time: datetime) -> datetime: ...
@overload
def to_time(time: None) -> None: ...
def to_time(time: datetime | None) -> datetime | None:
    """Return a stored time, which is UTC, as one that says so."""
    return None if time is None else time.replace(tzinfo=UTC)


def _seconds_each(job: ListedJob, done: int, now: datetime) -> float | None:
    if job.started_at is None or not done:
        return None
    return round((now - job.started_at).total_seconds() / done, 3)
