"""A job's folder, and what is put in it: a plan, and its one shard of two samples."""

from pathlib import Path

import pytest

from core.plan import DatasetDigest, Manifest, Shard
from core.result import Call, CallKey, Output, Score
from core.spec import EvaluationSpec, RecordedTarget, RowsDataset, TaskSpec
from store.results.folder import JobFolder

SHARD = Shard(index=3, task="qa", start=50, stop=52)
OUTPUTS = [Output("qa", 50, "target", text="yes é"), Output("qa", 51, "target", outcome="target_error", error="500")]
SCORES = [Score("qa", sample, "target", 0, "exact", "exact", "scored", 1.0) for sample in (50, 51)]
CALLS = [Call(CallKey("qa", sample, "target", 0, "target", "", 0), "answered", "{}") for sample in (50, 51)]

SPEC = EvaluationSpec(targets=(RecordedTarget(),), tasks=(TaskSpec(name="qa", dataset=RowsDataset(rows=[{"q": 1}])),))
MANIFEST = Manifest(
    job_id="job-1",
    code_version="0.1",
    spec=SPEC,
    shards=(SHARD,),
    datasets=(DatasetDigest(task="qa", sha256="0" * 64, rows=2),),
)


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path / "results", "job-1")
