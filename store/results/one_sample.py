"""All that a job's files hold of one sample, without the other rows of its shard being made into objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from core.job import STAGES
from core.plan import Shard
from core.result import Call, Output, Score
from store.results import schemas
from store.results.folder import JobFolder
from store.results.parquet import missing
from store.results.schemas import SCHEMAS, Kind


@dataclass(frozen=True, slots=True)
class SampleRows:
    """A sample's item, and what there is by now of its outputs, scores and calls, of all targets and trials."""

    item: dict[str, Any]
    outputs: Sequence[Output]
    scores: Sequence[Score]
    calls: Sequence[Call]


def read_sample(folder: JobFolder, shard: Shard, sample: int) -> SampleRows:
    """Return what the finished stages of a shard hold of a sample; raises as `read_parquet` does."""
    items = _rows(folder, folder.file("samples", shard.index), "samples", sample)
    if not len(items):
        raise missing(folder.file("samples", shard.index))
    calls = [
        call
        for stage in STAGES
        if folder.is_finished(stage, shard)
        for call in schemas.calls_of(_rows(folder, folder.calls_file(stage, shard), "calls", sample))
    ]
    return SampleRows(
        orjson.loads(items["item"][0].as_py()),
        schemas.outputs_of(_rows(folder, folder.file("outputs", shard.index), "outputs", sample)),
        schemas.scores_of(_rows(folder, folder.file("scores", shard.index), "scores", sample)),
        calls,
    )


def _rows(folder: JobFolder, path: Path, kind: Kind, sample: int) -> pa.Table:
    table = folder.read_rows(path, kind, samples=range(sample, sample + 1))
    return SCHEMAS[kind].arrow.empty_table() if table is None else table
