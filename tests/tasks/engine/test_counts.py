from pathlib import Path

from core.job import Count
from core.plan import DatasetDigest, Manifest, Shard
from core.spec import EvaluationSpec, RecordedTarget, RowsDataset, TaskSpec
from store.results.folder import JobFolder
from tasks.engine.counts import Counts

SPEC = EvaluationSpec(targets=(RecordedTarget(),), tasks=(TaskSpec(name="qa", dataset=RowsDataset(rows=[{"q": 1}])),))
FIRST, SECOND = (Shard(index=n, task="qa", start=2 * n, stop=2 * n + 2) for n in (0, 1))
MANIFEST = Manifest(
    job_id="job-1",
    code_version="0.1",
    spec=SPEC,
    shards=(FIRST, SECOND),
    datasets=(DatasetDigest(task="qa", sha256="0" * 64, rows=4),),
)


def test_the_rows_that_are_read_count_until_there_is_a_plan_and_then_what_has_passed_each_stage(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path, "job-1")
    folder.finish_generate(FIRST, [], [])
    counts = Counts(folder)
    assert counts.now() == {}
    counts.read("qa", 3)
    assert counts.now() == {"qa": {"generate": Count(0, 3), "judge": Count(0, 3)}}
    counts.begin(MANIFEST)
    assert counts.now() == {"qa": {"generate": Count(2, 4), "judge": Count(0, 4)}}
    counts.passed("generate", SECOND, 1)
    assert counts.now() == {"qa": {"generate": Count(3, 4), "judge": Count(0, 4)}}


def test_what_other_engines_have_finished_counts_once_it_is_noted(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path, "job-1")
    counts = Counts(folder)
    counts.begin(MANIFEST)
    folder.finish_generate(SECOND, [], [])
    folder.finish_judge(SECOND, [], [])
    assert counts.now() == {"qa": {"generate": Count(0, 4), "judge": Count(0, 4)}}
    counts.note_finished()
    assert counts.now() == {"qa": {"generate": Count(2, 4), "judge": Count(2, 4)}}
