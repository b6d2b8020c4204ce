"""From a job that has ended, and what of it is to be made again, to the job that does so."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from pydantic import ValidationError

from api.native.rerun import successor
from api.native.retry_keys import Keys
from api.native.schema.jobs import RetryRequest
from api.native.translate import named_keys, with_references
from core.errors import Conflict, ResultsMissing, SchemaMismatch, SpecInvalid, first_problem
from core.job import TERMINAL, Job, NewJob
from core.metric import Judge, MetricSpec
from core.plan import Manifest
from core.result import Outcome, Summary
from core.retry import ASKED_AGAIN, OF_JUDGES, OF_TARGETS, Retry
from core.spec import EvaluationSpec, ModelTarget, TaskSpec, refuse_duplicates
from store.results.checks import check_readable
from store.workspace import Workspace


def to_retry(workspace: Workspace, first: Job, asked: RetryRequest) -> tuple[NewJob, dict[str, str]]:
    """Return the job that makes some of `first` again, and its keys, by id.

    Raises Conflict for a job that has not ended, has nothing to take over or nothing to make again, or whose results
    cannot be read, and SpecInvalid for what is wrong with the request.
    """
    past = _past(workspace, first)
    spec = _with_metrics(past.plan.spec, asked.metrics)
    retry = _retry(first.id, asked, spec)
    _refuse_idle(first.id, past, retry, asked)
    references, sent = named_keys(asked, workspace.settings)
    given = {each.name: each.api_key for each in asked.api_keys}
    keys = Keys.of(workspace, first, given, frozenset(asked.keys))
    spec = with_references(keys.give(spec, _needs(past, retry), first.id), references)
    again = successor(first, spec, name=asked.name)
    job = replace(
        again,
        request={**again.request, "retry": retry.model_dump(mode="json")},
        description=asked.description or first.description,
        retry_of=first.id,
    )
    return job, sent | keys.copied


@dataclass(frozen=True, slots=True)
class _Past:
    """What a job came to: whether all its shards are generated, and judged, and its summaries."""

    plan: Manifest
    is_generated: bool
    is_judged: bool
    summaries: list[Summary]

    def counts(self, metric: str | None = None) -> Counter[Outcome]:
        """Return how many scores there are by outcome, of all metrics or of one."""
        counts = Counter[Outcome]()
        for summary in self.summaries:
            if metric in (None, summary.metric):
                counts.update(summary.outcomes)
        return counts


def _past(workspace: Workspace, first: Job) -> _Past:
    folder = workspace.folder(first.id)
    if first.status not in TERMINAL or workspace.is_held(first.id):
        raise Conflict(f"job {first.id} is {first.status} and goes on by itself: retry it once it has ended")
    try:
        check_readable(folder)
        plan, summaries = folder.read_manifest(), folder.read_summaries()
    except (ResultsMissing, SchemaMismatch) as error:
        raise Conflict(f"job {first.id} cannot be retried: {error.message}") from None
    if plan is None:
        raise Conflict(f"job {first.id} ended before its dataset was read, and has nothing to take over: send it again")
    generated, judged = (
        all(folder.is_finished(stage, shard) for shard in plan.shards) for stage in ("generate", "judge")
    )
    if first.status == "completed" and not (judged and generated):
        raise Conflict(f"job {first.id} cannot be retried: files of its results are missing; `assay fsck` names them")
    return _Past(plan, generated, judged, summaries or [])


def _retry(job_id: str, asked: RetryRequest, spec: EvaluationSpec) -> Retry:
    """Return what is made again. Raises SpecInvalid for a judge that there is not, and Conflict if there is none."""
    judges = dict.fromkeys(metric.name for task in spec.tasks for metric in task.metrics if isinstance(metric, Judge))
    changed = [metric.name for metric in asked.metrics if isinstance(metric, Judge)]
    for name in asked.judges:
        if name not in judges:
            known = f"judges: {', '.join(judges)}" if judges else "it has none"
            raise SpecInvalid(f"job {job_id} has no judge {name!r}; {known}", field="judges")
    named = [*asked.judges, *changed]
    if not (asked.judge_only or named or asked.metrics):
        return Retry(of=job_id, only=tuple(asked.only or ASKED_AGAIN))
    only = tuple(each for each in asked.only or () if each in OF_JUDGES)
    if asked.only and not only:
        others = ", ".join(sorted(OF_JUDGES))
        raise SpecInvalid(
            f"no target is asked again with judge_only, judges or metrics; name one of {others}", field="only"
        )
    if not (judges or asked.metrics):
        raise Conflict(f"job {job_id} has nothing to retry: it has no judge that could be asked again")
    if not (named or only or asked.metrics):
        named = [*judges]
    return Retry(of=job_id, only=only, targets=False, judges=tuple(dict.fromkeys(named)))


def _refuse_idle(job_id: str, past: _Past, retry: Retry, asked: RetryRequest) -> None:
    """Raise Conflict if there is nothing to make again, or more than is to be."""
    if not (retry.targets or past.is_generated):
        raise Conflict(f"job {job_id} ended before all its samples were generated: retry it with its targets")
    if retry.judges or asked.metrics or not past.is_judged or not past.summaries:
        return
    counts = past.counts()
    if not any(counts[each] for each in retry.only):
        found = ", ".join(f"{outcome} {count}" for outcome, count in sorted(counts.items()))
        is_all = retry.only == ASKED_AGAIN
        told = "nothing of it failed" if is_all else f"no score ended in {' or '.join(retry.only)}"
        raise Conflict(f"job {job_id} has nothing to retry: {told}; scores by outcome: {found}")


def _with_metrics(spec: EvaluationSpec, metrics: Iterable[MetricSpec]) -> EvaluationSpec:
    """Return a specification with metrics in the place of those of their names, and new ones in every task."""
    known = {metric.name for task in spec.tasks for metric in task.metrics}
    changed = {metric.name: metric for metric in metrics}

    def of_task(task: TaskSpec) -> TaskSpec:
        same = tuple(changed.get(metric.name, metric) for metric in task.metrics)
        new = tuple(metric for name, metric in changed.items() if name not in known)
        return task.model_copy(update={"metrics": same + new})

    try:
        refuse_duplicates("metric", [metric.name for metric in metrics])
        whole = spec.model_copy(update={"tasks": tuple(map(of_task, spec.tasks))})
        return EvaluationSpec.model_validate(whole.model_dump())
    except ValidationError as error:
        raise SpecInvalid(first_problem(error), field="metrics") from None
    except ValueError as error:
        raise SpecInvalid(str(error), field="metrics") from None


def _needs(past: _Past, retry: Retry) -> Callable[[ModelTarget | Judge], bool]:
    """Return what tells whether a model may be asked at all."""
    goes_on = not (past.is_judged and past.summaries)
    counts = past.counts()
    asks_targets = retry.targets and (goes_on or any(counts[each] for each in OF_TARGETS.intersection(retry.only)))

    def needs(model: ModelTarget | Judge) -> bool:
        if isinstance(model, ModelTarget):
            return asks_targets
        own = past.counts(model.name)
        gave_none = any(own[each] for each in OF_JUDGES.intersection(retry.only))
        return asks_targets or goes_on or gave_none or model.name in retry.judges

    return needs
