"""A job's folder, and a shard of two samples to be put in it."""

from pathlib import Path

import pytest

from core.plan import Shard
from core.result import Call, CallKey, Output, Score
from store.results.folder import JobFolder

SHARD = Shard(index=3, task="qa", start=50, stop=52)
OUTPUTS = [Output("qa", 50, "target", text="yes é"), Output("qa", 51, "target", outcome="target_error", error="500")]
SCORES = [Score("qa", sample, "target", 0, "exact", "exact", "scored", 1.0) for sample in (50, 51)]
CALLS = [Call(CallKey("qa", sample, "target", 0, "target", "", 0), "answered", "{}") for sample in (50, 51)]


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path / "results", "job-1")
