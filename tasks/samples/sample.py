"""One sample, whole: what was asked and answered, and for each metric what was compared and how it was graded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.endpoint import Reasoning
from core.errors import Conflict, NotFound
from core.metric import Code, Computed, Judge, MetricSpec
from core.plan import Manifest, Shard
from core.result import Output, Score
from core.spec import EvaluationSpec, ModelTarget, TaskSpec
from store.results.folder import JobFolder
from store.results.one_sample import SampleRows, read_sample
from tasks.endpoint.breaker import Fuse
from tasks.metrics.subject import Subject, subjects
from tasks.responses import responses_in
from tasks.samples.columns import telling_columns
from tasks.samples.conversation import Exchange, read_exchange
from tasks.templates.pool import Given, render_each
from tasks.templates.rendering import Unrendered
from tasks.templates.template import compile_body


@dataclass(frozen=True, slots=True)
class MetricDetail:
    """What a metric made of an output: the texts that it `compared`, by the parts they play, or what its judge said.

    Nothing is compared where there was no output, or a template could not be rendered; the scores say so.
    """

    metric: MetricSpec
    compared: dict[str, Any]
    exchanges: tuple[Exchange, ...]
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class OutputDetail:
    """What became of a sample with one target, in one trial; without an exchange where the output was recorded.

    The metrics of a pair are with its first target; the output of a reference has none.
    """

    output: Output
    model: str | None
    is_reference: bool
    exchange: Exchange | None
    metrics: tuple[MetricDetail, ...]


@dataclass(frozen=True, slots=True)
class SampleDetail:
    """A sample of a job's task with all that came of it, as far as it is there by now.

    `columns` are those of its item, the most telling first.
    """

    job_id: str
    task: str
    sample: int
    item: dict[str, Any]
    columns: Sequence[str]
    outputs: tuple[OutputDetail, ...]


def sample_detail(
    folder: JobFolder, task: str, sample: int, *, target: str | None = None, trial: int | None = None
) -> SampleDetail:
    """Return a sample of a job, of all targets and trials unless one is named.

    Raises NotFound, naming those that there are, Conflict before the sample is generated, and ResultsMissing or
    SchemaMismatch for files that cannot be read.
    """
    manifest = folder.need_manifest()
    shard = _find(manifest, folder, task, sample)
    if not folder.is_finished("generate", shard):
        raise Conflict(f"sample {sample} of task {task!r} is not generated: the job is not so far, or ended first")
    rows = read_sample(folder, shard, sample)
    outputs = [output for output in rows.outputs if target in (None, output.target) and trial in (None, output.trial)]
    if not outputs:
        known = ", ".join(sorted({f"{output.target} (trial {output.trial})" for output in rows.outputs}))
        raise NotFound(f"sample {sample} of task {task!r} has no such output; there are: {known}")
    spec = manifest.spec
    graded = list(_graded(spec, next(each for each in spec.tasks if each.name == task), rows))
    details = (_output(spec, output, rows, graded) for output in outputs)
    return SampleDetail(folder.job_id, task, sample, rows.item, telling_columns(spec, list(rows.item)), tuple(details))


def _find(manifest: Manifest, folder: JobFolder, task: str, sample: int) -> Shard:
    """Return the shard of a sample; raises NotFound."""
    digest = next((each for each in manifest.datasets if each.task == task), None)
    if digest is None:
        known = ", ".join(each.task for each in manifest.datasets)
        raise NotFound(f"job {folder.job_id} has no task {task!r}; tasks: {known}")
    if not 0 <= sample < digest.rows:
        raise NotFound(f"task {task!r} of job {folder.job_id} has no sample {sample}; there are 0 to {digest.rows - 1}")
    return next(each for each in manifest.shards if each.task == task and each.start <= sample < each.stop)


def _output(
    spec: EvaluationSpec, output: Output, rows: SampleRows, graded: Sequence[tuple[Subject, MetricDetail]]
) -> OutputDetail:
    target = next(each for each in spec.targets if each.name == output.target)
    reasoning = target.reasoning if isinstance(target, ModelTarget) else Reasoning()
    exchanges = _exchanges(rows, output.target, output.trial, "", reasoning)
    return OutputDetail(
        output=output,
        model=target.endpoint.model if isinstance(target, ModelTarget) else None,
        is_reference=output.target == spec.reference,
        exchange=next(iter(exchanges), None),
        metrics=tuple(
            detail for subject, detail in graded if (subject.target, subject.trial) == (output.target, output.trial)
        ),
    )


def _graded(spec: EvaluationSpec, task: TaskSpec, rows: SampleRows) -> Iterator[tuple[Subject, MetricDetail]]:
    """Yield what each metric made of each of its subjects."""
    responses = responses_in(rows.calls)
    for metric in task.metrics:
        reasoning = metric.reasoning if isinstance(metric, Judge) else Reasoning()
        start = rows.outputs[0].sample
        about = subjects(metric, rows.outputs, [rows.item], start, reference=spec.reference, responses=responses)
        for subject in about:
            scores = (
                score
                for score in rows.scores
                if (score.target, score.trial, score.metric) == (subject.target, subject.trial, metric.name)
            )
            exchanges = _exchanges(rows, subject.target, subject.trial, metric.name, reasoning)
            yield subject, MetricDetail(metric, compared(metric, subject), exchanges, tuple(scores))


def compared(metric: MetricSpec, subject: Subject) -> dict[str, Any]:
    """Return what a metric is computed from, by its parts; nothing of a judge, whose prompt is in its calls."""
    if subject.lost or isinstance(metric, Judge):
        return {}
    where = f"metric {metric.name!r}"
    match metric:
        case Computed():
            template = compile_body(metric.templates, where=where, json_values=False)
        case Code():
            template = compile_body(metric.item, where=where)
    given = Given(subject.row, subject.values(with_response=template.reads_response), Fuse())
    (rendered,) = render_each(template, [given])
    return {} if isinstance(rendered, Unrendered) else rendered


def _exchanges(rows: SampleRows, target: str, trial: int, metric: str, reasoning: Reasoning) -> tuple[Exchange, ...]:
    of = (target, trial, metric)
    calls = [call for call in rows.calls if (call.key.target, call.key.trial, call.key.metric) == of]
    return tuple(read_exchange(call, reasoning) for call in sorted(calls, key=lambda call: call.key.ordinal))
