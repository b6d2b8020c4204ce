"""The first stage: from a specification to frozen rows, checked templates and a manifest."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Any

import orjson

from core.errors import DatasetUnreadable
from core.plan import DatasetDigest, Manifest, cut_shards
from core.spec import EvaluationSpec, ModelTarget
from store.results.folder import JobFolder
from tasks.check import check_templates
from tasks.datasets.rows import Sources, read_rows
from tasks.engine import Engine


def resolve_job(engine: Engine) -> None:
    """Give an engine its job's manifest."""
    workspace = engine.workspace
    engine.manifest = resolve(
        engine.job.id,
        engine.spec,
        engine.folder,
        Sources(
            workspace.settings.datasets,
            lambda file_id: workspace.files.path(workspace.files.get(file_id)),
            engine.reveal,
        ),
        code_version=version("assay-evals"),
        report=engine.say,
    )


def resolve(
    job_id: str,
    spec: EvaluationSpec,
    folder: JobFolder,
    sources: Sources,
    *,
    code_version: str,
    report: Callable[[str], None],
) -> Manifest:
    """Freeze a job's input and return its manifest; one that exists is returned as it is.

    Every template is checked against every row first. Raises DatasetUnreadable, TemplateInvalid or SpecInvalid.
    """
    existing = folder.read_manifest()
    if existing is not None:
        return existing
    items: dict[str, list[str]] = {}
    digests: list[DatasetDigest] = []
    for task in spec.tasks:
        limits = [limit for limit in (spec.params.limit_samples, task.limit) if limit is not None]
        rows = check_templates(
            task,
            spec.targets,
            read_rows(task.dataset, sources, limit=min(limits, default=None)),
            reference=spec.reference,
            strict_columns=spec.params.strict_columns,
        )
        items[task.name], digest = freeze(task.name, rows)
        digests.append(digest)
        report(f"task {task.name!r}: {digest.rows} rows, templates checked")
    stages = 1 + any(isinstance(target, ModelTarget) for target in spec.targets)
    shards = cut_shards({task: len(texts) for task, texts in items.items()}, stages)
    for shard in shards:
        folder.write_samples(shard, items[shard.task][shard.start : shard.stop])
    manifest = Manifest(job_id=job_id, code_version=code_version, spec=spec, shards=shards, datasets=tuple(digests))
    folder.write_manifest(manifest)
    return manifest


def freeze(task: str, rows: Iterable[Mapping[str, Any]]) -> tuple[list[str], DatasetDigest]:
    """Return the rows as JSON texts, and their digest, which does not depend on the order of a row's columns."""
    texts: list[str] = []
    digest = hashlib.sha256()
    for number, row in enumerate(rows, start=1):
        try:
            texts.append(orjson.dumps(row).decode())
            digest.update(orjson.dumps(row, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE))
        except orjson.JSONEncodeError as error:
            raise DatasetUnreadable(f"task {task!r}, row {number} cannot be kept as JSON: {error}") from error
    return texts, DatasetDigest(task=task, sha256=digest.hexdigest(), rows=len(texts))
