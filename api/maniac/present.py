"""From the core's words to Maniac's: a run, its status and its results."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from api.maniac.lists import to_time
from api.maniac.schema import responses as wire
from api.maniac.translate import SCORE, TASK
from core.job import JobStatus, ListedJob
from core.result import Outcome, Summary
from store.results.counts import ScoreOf, count_passed, unscored_errors
from store.results.folder import JobFolder

RunStatus = Literal["pending", "running", "completed", "error", "cancelled"]

STATUS: Final[Mapping[JobStatus, RunStatus]] = {
    "created": "pending",
    "pending": "pending",
    "running": "running",
    "pausing": "running",
    "paused": "running",
    "resuming": "running",
    "cancelling": "running",
    "cancelled": "cancelled",
    "completed": "completed",
    "failed": "error",
    "unknown": "error",
}


def to_run(job: ListedJob, results: wire.Results | None) -> wire.Run:
    """Return a run as it is shown, with its results once it has ended."""
    resolved = job.custom_fields or {}
    status = STATUS[job.status]
    ended = to_time(job.finished_at) if job.finished_at else None
    return wire.Run(
        id=job.id,
        process_id=job.flow_run_id or job.id,
        created_at=to_time(job.created_at),
        finished_at=ended,
        error_at=ended if status == "error" else None,
        status=status,
        error=job.failure.message if job.failure else None,
        evaluators=[each["id"] for each in resolved["evaluators"]],
        container=resolved["container"],
        dataset_id=resolved["dataset"] and resolved["dataset"]["id"],
        sample=resolved["sample"],
        ground_truth=resolved["ground_truth"],
        results=results,
        metrics=to_metrics(results) if results else None,
        config=job.request,
        metadata=job.request.get("metadata"),
    )


def results_of(job: ListedJob, folder: JobFolder) -> wire.Results | None:
    """Return the results of a run that has ended; None before. Raises ResultsMissing."""
    return to_results(job.custom_fields or {}, folder) if STATUS[job.status] in ("completed", "error") else None


def to_results(resolved: Mapping[str, Any], folder: JobFolder) -> wire.Results | None:
    """Return the results of a run from what is stored of it; None if it has none."""
    summaries = folder.read_summaries()
    if summaries is None:
        return None
    scored = {ScoreOf(each.task, each.target, each.metric, each.name): each for each in summaries}
    passed, unscored = count_passed(folder), unscored_errors(folder)
    per_model = []
    for index, launch in enumerate(resolved["launches"]):
        per_eval = {}
        for evaluator in resolved["evaluators"]:
            key = ScoreOf(TASK, launch["target"], evaluator["name"], SCORE)
            if key in scored:
                reason = break_reason(scored[key], unscored.get(key, {}))
                per_eval[evaluator["id"]] = to_per_eval(scored[key], passed[key], resolved["expected_count"], reason)
        means = _means(per_eval.values())
        per_model.append(wire.PerModel(model={"slug": launch["slug"]}, per_eval=per_eval, launch_index=index, **means))
    return wire.Results(overall=wire.Overall(**_means(per_model)), per_model=per_model, launch_count=len(per_model))


def to_per_eval(summary: Summary, passed: int, expected: int, reason: str | None) -> wire.PerEval:
    """Return what became of the pairs; what has no score is an error, and in no mean."""
    total = summary.count + summary.nan_count
    accuracy = passed / summary.count if summary.count else None
    return wire.PerEval(
        accuracy=accuracy,
        avg_accuracy=accuracy,
        avg_score=summary.mean,
        num_total=total,
        num_scored=summary.count,
        num_errors=summary.nan_count,
        num_passed=passed,
        num_failed=summary.count - passed,
        num_missing=expected - total,
        expected_count=expected,
        break_reason=reason,
    )


def break_reason(summary: Summary, unscored: Mapping[Outcome, str | None]) -> str | None:
    """Return why an evaluator was stopped early, or scored nothing at all; None if it went through.

    `unscored` has an error for each outcome of what has no score.
    """
    if summary.count and "not_attempted" not in unscored:
        return None
    return unscored.get("not_attempted") or next(iter(unscored.values()), None)


def to_metrics(results: wire.Results) -> dict[str, float | None]:
    """Return the figures of the evaluators over all models, in one flat object."""
    evaluators = dict.fromkeys(name for model in results.per_model for name in model.per_eval)
    return {
        f"{evaluator}.{figure}": value
        for evaluator in evaluators
        for figure, value in _means(
            model.per_eval[evaluator] for model in results.per_model if evaluator in model.per_eval
        ).items()
    }


def _means(parts: Iterable[wire.PerEval | wire.PerModel]) -> dict[str, float | None]:
    """Return the plain means of what was scored."""
    parts = list(parts)
    figures = {name: [getattr(each, name) for each in parts] for name in ("avg_score", "avg_accuracy")}
    known = {name: [value for value in values if value is not None] for name, values in figures.items()}
    return {name: sum(values) / len(values) if values else None for name, values in known.items()}
