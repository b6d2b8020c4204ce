"""The first stage: from a specification to frozen rows, checked templates and a manifest."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from itertools import accumulate, islice
from typing import Any

import orjson

from core.errors import DatasetUnreadable
from core.plan import DatasetDigest, Manifest, cut_shards
from core.spec import EvaluationSpec, ModelTarget, TaskSpec
from store.files.bounds import Bounds
from store.files.contents import Files
from store.results.checks import check_shard
from store.results.folder import JobFolder
from store.results.spool import Spool, spooling
from tasks.check import check_templates, columns_read
from tasks.datasets.found import Sources, Upload
from tasks.datasets.hub import Hubs
from tasks.datasets.rows import read_rows
from tasks.engine.engine import Engine
from tasks.summaries.units import of_some_weight
from tasks.takeover import take_over

Row = Mapping[str, Any]


def resolve_job(engine: Engine) -> None:
    """Give an engine its job's manifest; what an earlier attempt has finished must be as it was written.

    A retry takes over the frozen input of the job before it, and reads no dataset.
    """
    workspace, settings = engine.workspace, engine.workspace.settings
    take_over(engine)
    engine.manifest = resolve(
        engine.job.id,
        engine.spec,
        engine.folder,
        Sources(
            settings.datasets,
            lambda file_id: _upload(workspace.files, file_id),
            engine.keys.reveal,
            Bounds(settings.max_row, settings.max_decoded),
            Hubs(settings.hubs, settings.home / "hub", settings.max_upload),
        ),
        code_version=version("assay-evals"),
        report=engine.log.say,
        heed=engine.calls.heed,
        read=engine.counts.read,
    )
    engine.folder.objects.fetch(engine.folder.path)
    for shard in engine.manifest.shards:
        check_shard(engine.folder, shard)


def _upload(files: Files, file_id: str) -> Upload:
    record = files.get(file_id)
    return Upload(files.path(record), record.filename, record.file_type)


def resolve(
    job_id: str,
    spec: EvaluationSpec,
    folder: JobFolder,
    sources: Sources,
    *,
    code_version: str,
    report: Callable[[str], None],
    heed: Callable[[], None] = lambda: None,
    read: Callable[[str, int], object] = lambda _task, _rows: None,
) -> Manifest:
    """Freeze a job's input and return its manifest; one that exists is returned as it is.

    `heed` is called at each row, and may raise; `read` is told how many a task has by then. What of a dataset was not
    taken as it is stays in the manifest's notes.

    Every template is checked against every row first. Raises DatasetUnreadable, TemplateInvalid or SpecInvalid.
    """
    existing = folder.read_manifest()
    if existing is not None:
        return existing
    stages = 1 + any(isinstance(target, ModelTarget) for target in spec.targets)
    notes: list[str] = []

    def note(sentence: str) -> None:
        notes.append(sentence)
        report(sentence)

    with spooling(folder.path.parent) as spool:
        digests = []
        for task in spec.tasks:
            digests.append(
                _freeze_task(task, spec, sources, spool, note, partial(_heeding, heed, partial(read, task.name)))
            )
            report(f"task {task.name!r}: {digests[-1].rows} rows, templates checked")
        rows, sizes = {each.task: each.rows for each in digests}, _sizes(digests, spool.sizes)
        shards = cut_shards(rows, stages, sizes, trials=spec.params.trials)
        texts = spool.texts()
        for shard in shards:
            heed()
            folder.write_samples(shard, islice(texts, len(shard)))
    manifest = Manifest(
        job_id=job_id,
        code_version=code_version,
        spec=spec,
        shards=shards,
        datasets=tuple(digests),
        notes=tuple(dict.fromkeys(notes)),
    )
    folder.write_manifest(manifest)
    return manifest


def _freeze_task(
    task: TaskSpec,
    spec: EvaluationSpec,
    sources: Sources,
    spool: Spool,
    note: Callable[[str], None],
    heeding: Callable[[Iterable[Row]], Iterable[Row]],
) -> DatasetDigest:
    limits = [limit for limit in (spec.params.limit_samples, task.limit) if limit is not None]
    rows = read_rows(
        task.dataset,
        sources,
        limit=min(limits, default=None),
        needed=columns_read(task, spec.targets, spec.reference),
        note=lambda sentence: note(f"task {task.name!r}: {sentence}"),
    )
    checked = check_templates(
        task, spec.targets, heeding(rows), reference=spec.reference, strict_columns=spec.params.strict_columns
    )
    return freeze(task.name, of_some_weight(task, checked), spool.add)


def _heeding(heed: Callable[[], None], read: Callable[[int], object], rows: Iterable[Row]) -> Iterator[Row]:
    for number, row in enumerate(rows, start=1):
        heed()
        read(number)
        yield row


def _sizes(digests: Sequence[DatasetDigest], sizes: Sequence[int]) -> dict[str, Sequence[int]]:
    """Return the bytes of the rows of each task, of which those of the first come first."""
    stops = accumulate(digest.rows for digest in digests)
    return {digest.task: sizes[stop - digest.rows : stop] for digest, stop in zip(digests, stops, strict=True)}


def freeze(task: str, rows: Iterable[Row], keep: Callable[[bytes], object]) -> DatasetDigest:
    """Keep the rows as JSON texts; return their digest, which does not depend on the order of a row's columns."""
    digest = hashlib.sha256()
    number = 0
    for number, row in enumerate(rows, start=1):
        try:
            keep(orjson.dumps(row))
            digest.update(orjson.dumps(row, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE))
        except orjson.JSONEncodeError as error:
            raise DatasetUnreadable(f"task {task!r}, row {number} cannot be kept as JSON: {error}") from error
    return DatasetDigest(task=task, sha256=digest.hexdigest(), rows=number)
