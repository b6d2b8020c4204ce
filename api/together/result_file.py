"""What a completed job leaves for its user: a file with a line for each row, and beside its results the counters.

Both are made once, from the stored rows: the counters of a job are asked for again and again.
"""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson
from pydantic import TypeAdapter, ValidationError

from api.together.present.grades import Graded, Tally, columns, graded, to_results
from api.together.schema import responses as wire
from api.together.translate import FACE
from core.errors import ResultsMissing
from core.job import ListedJob
from core.metric import Judge
from core.plan import Manifest
from core.text import json_line
from store.results.folder import JobFolder
from store.results.parquet import damaged
from store.workspace import Workspace

PURPOSE: Final = "eval-output"
COUNTERS: Final = "together.json"

_RESULTS: Final[TypeAdapter[wire.Results]] = TypeAdapter(wire.Results)
_OF_JOBS: Final = uuid.UUID("6e5d2f4e-5b57-4b0a-9d0e-2f1b1c6a7d3c")
"""The namespace of the ids of result files, so that a job has one, however often it is published."""


def file_id(job_id: str) -> str:
    """Return the id of a job's result file."""
    return f"file-{uuid.uuid5(_OF_JOBS, job_id)}"


def publish(workspace: Workspace, job: ListedJob, *, again: bool = False) -> None:
    """Write the result file of a job that has all its scores, then its counters; those of other faces have none.

    It may be done again, and changes nothing then, not even its record is looked for unless `again`.
    Raises ResultsMissing.
    """
    if job.face == FACE and (again or not workspace.objects.exists(_counters(workspace, job))):
        _publish(workspace, job)


def results_of(workspace: Workspace, job: ListedJob) -> wire.Results:
    """Return what a completed job came to. Raises ResultsMissing."""
    publish(workspace, job)
    counters = _counters(workspace, job)
    try:
        return _RESULTS.validate_json(workspace.objects.file(counters).read_bytes())
    except ValidationError as error:
        raise damaged(counters) from error


def _publish(workspace: Workspace, job: ListedJob) -> None:
    folder = workspace.folder(job.id)
    manifest, summaries = folder.read_manifest(), folder.read_summaries()
    if manifest is None or not summaries:
        raise ResultsMissing(f"job {job.id} has no results")
    judge, tally = _judge(manifest), Tally()
    workspace.files.save(
        _lines(judge, folder, manifest, tally),
        filename=f"{job.id}.jsonl",
        purpose=PURPOSE,
        file_type="jsonl",
        file_id=file_id(job.id),
        job=job.id,
    )
    text = to_results(judge.scale, tally, summaries[0], file_id(job.id)).model_dump_json()
    workspace.objects.put(_counters(workspace, job), lambda path: path.write_text(text, encoding="utf-8"))


def _lines(judge: Judge, folder: JobFolder, manifest: Manifest, tally: Tally) -> Iterator[bytes]:
    """Yield the lines of the result file, a part of a shard at a time, and count their rows."""
    for rows in _parts(judge, folder, manifest):
        for row in rows:
            tally.add(row)
        yield b"".join(json_line(orjson.dumps(columns(judge.scale, row))) for row in rows)


def _parts(judge: Judge, folder: JobFolder, manifest: Manifest) -> Iterator[list[Graded]]:
    for part in (part for shard in manifest.shards for part in folder.parts(shard)):
        items, outputs, scores = folder.read_samples(part), folder.read_outputs(part), folder.read_scores(part)
        if outputs is None or scores is None:
            raise ResultsMissing(f"shard {part.index} of job {folder.job_id} has no scores")
        yield list(graded(judge, items, outputs, scores, folder.read_calls("judge", part)))


def _judge(manifest: Manifest) -> Judge:
    (metric,) = manifest.spec.tasks[0].metrics
    assert isinstance(metric, Judge)
    return metric


def _counters(workspace: Workspace, job: ListedJob) -> Path:
    return workspace.folder(job.id).path / COUNTERS
