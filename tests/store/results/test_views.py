from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from core.errors import InvalidInput, ResultsMissing
from core.job import Job
from core.plan import Shard
from core.result import Call, CallKey, Output, Score, Summary
from core.spec import EvaluationSpec, RecordedTarget, RowsDataset, TaskSpec
from store.results.folder import JobFolder
from store.results.schemas import SCHEMAS
from store.results.views import open_views, query
from tests.tasks.specs import alike

SPEC = EvaluationSpec(targets=(RecordedTarget(),), tasks=(TaskSpec(name="qa", dataset=RowsDataset(rows=[])),))
START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def write(results: Path, job_id: str, values: list[float | None]) -> JobFolder:
    """Write the results of a job with two shards, of which each score has one of `values`."""
    folder = JobFolder(results, job_id)
    for index in range(2):
        shard = Shard(index=index, task="qa", start=index * len(values), stop=(index + 1) * len(values))
        samples = range(shard.start, shard.stop)
        folder.write_samples(shard, [f'{{"q":"question {sample}","n":{sample}}}' for sample in samples])
        calls = [
            Call(CallKey("qa", n, "t", 0, "target", "", 0), "answered", "{}", started_at=START.timestamp() + n)
            for n in samples
        ]
        folder.finish_generate(shard, [Output("qa", n, "t", text=f"it's {n}") for n in samples], calls)
        scores = [
            Score("qa", n, "t", 0, "exact", "exact", "judge_error" if value is None else "scored", value)
            for n, value in zip(samples, values, strict=True)
        ]
        folder.finish_judge(shard, scores, [])
    folder.write_summaries([Summary("qa", "t", "exact", "exact", 2, 0, *alike(1.0))])
    naive = START.replace(tzinfo=None)
    folder.write_job(
        Job(
            job_id,
            "nemo-v2",
            {},
            f"name of {job_id}",
            spec=SPEC,
            status="completed",
            created_at=naive,
            updated_at=naive,
        )
    )
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write(tmp_path / "results", "job-1", [1.0, 0.0, None])
    write(tmp_path / "results", "job-2", [0.5])
    return tmp_path / "results"


@pytest.mark.parametrize("there", [True, False])
def test_views_without_files_are_empty_and_typed(tmp_path: Path, there: bool) -> None:
    if there:
        (tmp_path / "results" / "job_id=new" / "scores").mkdir(parents=True)
    with open_views(tmp_path / "results") as views:
        for kind, schema in SCHEMAS.items():
            described = views.execute(f"DESCRIBE {kind}").fetchall()
            assert [row[0] for row in described] == [*schema.arrow.names, "job_id"]
            assert views.execute(f"SELECT COUNT(*) FROM {kind}").fetchall() == [(0,)]
        types = dict(row[:2] for row in views.execute("DESCRIBE jobs").fetchall())
    assert types["created_at"] == "TIMESTAMP WITH TIME ZONE"
    assert types["job_id"] == "VARCHAR"


def test_jobs_are_told_apart_in_every_view(results: Path) -> None:
    for view, rows in {"samples": (6, 2), "calls": (6, 2), "outputs": (6, 2), "scores": (6, 2), "jobs": (1, 1)}.items():
        answer = query(results, f"SELECT job_id, COUNT(*) AS n FROM {view} GROUP BY job_id ORDER BY job_id")
        assert answer.columns == ["job_id", "n"]
        assert answer.rows == [("job-1", rows[0]), ("job-2", rows[1])]


def test_scores_join_outputs_samples_and_jobs(results: Path) -> None:
    sql = """
        SELECT jobs.name, sample, text, item->>'q'
        FROM scores JOIN outputs USING (job_id, task, sample, target, trial)
                    JOIN samples USING (job_id, task, sample) JOIN jobs USING (job_id)
        WHERE value = ? ORDER BY sample
    """
    assert query(results, sql, [1.0]).rows == [
        ("name of job-1", 0, "it's 0", "question 0"),
        ("name of job-1", 3, "it's 3", "question 3"),
    ]
    assert query(results, sql, [7.0]).rows == []


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("value IS NULL", 2),
        ("value > 0.4", 4),
        ("NOT value > 0.4", 2),
        ("value BETWEEN 0 AND 0.5", 4),
        ("outcome IN ('scored', 'refused') AND sample < 2", 4),
        ("job_id LIKE 'job-%' AND job_id <> 'job-1'", 2),
        ("label IS NOT NULL OR passed", 0),
        ("job_id = 'job-1' AND sample = 4", 1),
    ],
)
def test_filters_on_typed_columns_mean_what_they_say(results: Path, condition: str, count: int) -> None:
    answer = query(results, f"SELECT COUNT(*) AS n FROM scores WHERE {condition}")
    assert answer.rows == [(count,)]
    assert answer.columns == ["n"]


def test_times_are_shown_and_compared_in_utc(results: Path) -> None:
    sql = "SELECT sample, started_at FROM calls WHERE job_id = 'job-1' AND started_at >= ? ORDER BY sample DESC"
    rows = query(results, sql, [START + timedelta(seconds=4)]).rows
    assert [sample for sample, _ in rows] == [5, 4]
    assert rows[1][1] == START + timedelta(seconds=4)
    assert query(results, "SELECT CAST(created_at AS VARCHAR) FROM jobs LIMIT 1").rows == [("2026-11-22 10:00:00+00",)]


def test_an_odd_path_is_no_pattern_and_no_sql(tmp_path: Path) -> None:
    results = tmp_path / "o'd [re]s* ?{a,b} é=%20" / "results"
    write(results, "job-1", [1.0])
    assert query(results, "SELECT job_id, value FROM scores").rows == [("job-1", 1.0)] * 2
    assert query(results, "SELECT id, job_id FROM jobs").rows == [("job-1", "job-1")]


def test_what_is_not_published_or_was_removed_is_out_of_sight(results: Path) -> None:
    (results / "job_id=job-1" / "scores" / ".00002.parquet.12ab.tmp").write_bytes(b"half")
    (results / "job_id=job-1" / "job.parquet").unlink()
    (results / "job_id=job-2").rename(results / ".deleted-job-2")
    assert query(results, "SELECT DISTINCT job_id FROM scores").rows == [("job-1",)]
    assert query(results, "SELECT * FROM jobs").rows == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM '{results}/job_id=job-1/scores/00000.parquet'",
        "SELECT * FROM glob('{results}/*')",
        "COPY (SELECT 1) TO '{results}/job_id=job-1/scores/00000.parquet' (FORMAT parquet)",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{results}/x.csv'",
        "ATTACH '{results}/x.db'",
        "EXPORT DATABASE '{results}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SELEC 1",
        "SELECT nothing FROM scores",
    ],
)
def test_sql_reaches_nothing_but_the_views(results: Path, tmp_path: Path, sql: str) -> None:
    (tmp_path / "secret.key").write_text("sk-secret")
    before = sorted((path, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file())
    with pytest.raises(InvalidInput, match="the query failed: ") as caught:
        query(results, sql.format(secret=tmp_path / "secret.key", results=results))
    assert "sk-secret" not in caught.value.message
    assert sorted((path, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()) == before


def test_sql_sees_no_variable_of_the_program(results: Path) -> None:
    secret = pa.table({"key": ["sk-secret"]})
    with open_views(results) as views, pytest.raises(duckdb.CatalogException, match="secret does not exist"):
        views.execute("SELECT * FROM secret")
    assert duckdb.execute("SELECT * FROM secret").fetchall() == [(secret["key"][0].as_py(),)]


def test_no_statement_opens_the_door_for_the_next(results: Path) -> None:
    with open_views(results) as views:
        for setting in ("enable_external_access = true", "lock_configuration = false"):
            with pytest.raises(duckdb.Error):
                views.execute(f"RESET {setting.split()[0]}")
            with pytest.raises(duckdb.Error):
                views.execute(f"SET {setting}")
        with pytest.raises(duckdb.PermissionException):
            views.execute(f"SELECT * FROM read_parquet('{results}/job_id=job-1/job.parquet')")
        assert views.execute("SELECT COUNT(*) FROM jobs").fetchall() == [(2,)]


@pytest.mark.parametrize("start", [0, 40, -40])
def test_a_damaged_file_is_named_where_it_is_read(results: Path, start: int) -> None:
    path = results / "job_id=job-2" / "scores" / "00001.parquet"
    content = bytearray(path.read_bytes())
    content[start : start + 8 or None] = b"PAR1 not"
    path.write_bytes(content if start else b"PAR1 not at all")
    with pytest.raises(ResultsMissing, match=r"^results/job_id=job-2/scores/00001\.parquet is damaged"):
        query(results, "SELECT * FROM scores")
    assert query(results, "SELECT COUNT(*) FROM scores WHERE job_id = 'job-1'").rows == [(6,)]
