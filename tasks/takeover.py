"""How a retry begins: with the frozen input of the job before it, and the answers that it need not pay for again.

What is taken over goes to the journals of the new job's shards, as if it had been asked for already; from there on a
retry is a job like any other. The plan is written last: until then nothing of it counts.
"""

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version

from core.errors import Conflict
from core.job import STAGES, Stage
from core.plan import Manifest, Shard
from core.result import Call
from core.retry import Retry
from core.spec import EvaluationSpec
from store.results.checks import check_shard
from store.results.folder import JobFolder
from store.results.parquet import missing
from tasks.check import check_templates
from tasks.engine.engine import Engine
from tasks.past import Past, asked_again


def take_over(engine: Engine) -> None:
    """Freeze a retry's input, and take over the calls that it does not make again; any other job is left alone.

    So is one that has begun. Raises Conflict if the job before it is gone, ResultsMissing if what it has is damaged,
    and as `check_templates` does for a changed metric.
    """
    retry = Retry.of_job(engine.job)
    if retry is None or engine.folder.read_manifest() is not None:
        return
    before = engine.workspace.folder(retry.of)
    plan = before.read_manifest()
    if plan is None:
        raise Conflict(f"job {retry.of} was deleted before this retry of it began: send its request again")
    _check_changed_metrics(engine.spec, plan, before)
    before.objects.fetch(before.path)
    taken = again = 0
    for shard in plan.shards:
        check_shard(before, shard)
        engine.folder.copy_samples(before, shard)
        for stage in STAGES:  # of an attempt that was cut short before there was a plan
            engine.folder.journals.delete(stage, shard)
        for part in before.parts(shard):
            past = read_past(before, plan.spec, part)
            redone = asked_again(past, retry)
            for stage in STAGES:
                kept = [_taken(call, retry.of) for call in past.calls(stage) if call.key not in redone]
                with engine.folder.journals.open(stage, shard) as journal:
                    journal.append(*kept)
                taken += len(kept)
            again += len(redone)
    engine.folder.write_manifest(
        Manifest(
            job_id=engine.job.id,
            code_version=version("assay-evals"),
            spec=engine.spec,
            shards=plan.shards,
            datasets=plan.datasets,
            notes=plan.notes,
        )
    )
    engine.log.say(f"{taken} calls are taken over from job {retry.of}, {again} of its calls are made again")


def read_past(folder: JobFolder, spec: EvaluationSpec, shard: Shard) -> Past:
    """Return what a job has of a shard, or of a part of one: what its files hold, or its journals as far as it came."""
    is_judged = folder.is_finished("judge", shard)
    return Past(
        spec=spec,
        shard=shard,
        rows=folder.read_samples(shard),
        outputs=folder.read_outputs(shard),
        scores=folder.read_scores(shard) if is_judged else None,
        generated=_calls(folder, "generate", shard),
        judged=_calls(folder, "judge", shard),
    )


def _calls(folder: JobFolder, stage: Stage, shard: Shard) -> list[Call]:
    if folder.is_finished(stage, shard):
        path = folder.calls_file(stage, shard)
        if not folder.objects.exists(path):
            raise missing(path)
        return folder.read_calls(stage, shard)
    calls = (call for _, call in folder.journals.recorded(folder.journals.path(stage, shard)) if call is not None)
    own = (call for call in calls if shard.start <= call.key.sample < shard.stop)
    return list({call.key: call for call in own}.values())


def _taken(call: Call, job_id: str) -> Call:
    """Return a call that this job does not pay for: the one that did is named, over any number of retries."""
    return replace(call, paid_by=call.paid_by or job_id)


def _check_changed_metrics(spec: EvaluationSpec, plan: Manifest, before: JobFolder) -> None:
    """Check the templates of metrics that the job before did not have, against all its rows."""
    for task, former in zip(spec.tasks, plan.spec.tasks, strict=True):
        if task.metrics != former.metrics:
            rows = _rows(before, plan, task.name)
            for _ in check_templates(task, spec.targets, rows, reference=spec.reference):
                pass


def _rows(folder: JobFolder, plan: Manifest, task: str) -> Iterator[dict[str, object]]:
    for shard in plan.shards:
        if shard.task == task:
            for part in folder.parts(shard):
                yield from folder.read_samples(part)
