"""A release that adds columns reads the files of those before it, and queries its own together with theirs."""

from dataclasses import dataclass, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.queries.samples import Selection
from core.result import SINCE, Call, Output, Score, Summary, since
from store.files.atomic import publish
from store.results.columns import TEXT, Column, Schema, columns_of
from store.results.folder import JobFolder
from store.results.parquet import drafted, read_parquet
from store.results.samples import Samples
from store.results.schemas import SCHEMAS, Kind
from store.results.views import query
from tests.golden.test_golden import RELEASES, unpacked
from tests.tasks.specs import alike


@dataclass(frozen=True, slots=True)
class NewerSummary(Summary):
    """A summary with what a later release adds: two lines, and nothing else."""

    novelty: float | None = since(8)
    tags: dict[str, int] | None = since(9)


@dataclass(frozen=True, slots=True)
class NewerScore(Score):
    """The same for scores."""

    weight: float | None = since(8)


@dataclass
class Job:
    """A job of an earlier release."""

    results: Path
    folder: JobFolder


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def job(request: pytest.FixtureRequest, tmp_path: Path) -> Job:
    made = unpacked(request.param, tmp_path)
    results = tmp_path / "home" / "results"
    return Job(results, JobFolder(results, made["computed"]))


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> dict[Kind, Schema]:
    """The schemas of a later release, in force."""
    added: dict[Kind, Schema] = {
        "summaries": Schema("summaries", tuple(columns_of(NewerSummary))),
        "scores": Schema("scores", tuple(columns_of(NewerScore))),
        "outputs": Schema("outputs", (*SCHEMAS["outputs"].columns, Column("tags", pa.list_(TEXT), since=2))),
    }
    for kind, schema in added.items():
        monkeypatch.setitem(SCHEMAS, kind, schema)
    return added


def test_older_rows_have_none_in_the_fields_that_came_later(job: Job, newer: dict[Kind, Schema]) -> None:
    means = pq.read_table(job.folder.file("summaries", 0), columns=["mean"])["mean"].to_pylist()
    table = read_parquet(job.folder.file("summaries", 0), newer["summaries"])
    assert table is not None
    rows = [NewerSummary(*row) for row in newer["summaries"].rows(table)]
    assert {(row.novelty, row.tags) for row in rows} == {(None, None)}
    assert [row.mean for row in rows] == means
    assert newer["summaries"].version == 9


def put(path: Path, table: pa.Table, schema: Schema) -> None:
    with drafted(path, [table], schema.arrow) as draft:
        publish(path, draft.replace)


def test_what_is_written_has_the_new_columns_and_the_new_version(tmp_path: Path, newer: dict[Kind, Schema]) -> None:
    schema, path = newer["summaries"], tmp_path / "job_id=j" / "summaries" / "0.parquet"
    own = [getattr(Summary("qa", "t", "m", "n", 1, 0, *alike(1.0)), field.name) for field in fields(Summary)]
    put(path, schema.table([(*own, 0.25, {"few": 2})]), schema)
    table = read_parquet(path, schema)
    assert table is not None
    [row] = schema.rows(table)
    assert row[-2:] == (0.25, {"few": 2})
    assert pq.read_schema(path).metadata[b"assay.schema_version"] == b"9"


def test_views_and_samples_unite_old_files_and_new_ones(job: Job, newer: dict[Kind, Schema]) -> None:
    """In one file a column is not there, in another null for all rows, in a third a list."""
    other = JobFolder(job.results, "newer")
    schema = newer["outputs"]
    old = read_parquet(job.folder.file("outputs", 0), schema)
    assert old is not None
    for index, tags in enumerate([[None] * len(old), [["a", "b"]] * len(old)]):
        column = schema.arrow.get_field_index("tags")
        table = old.set_column(column, schema.arrow.field("tags"), pa.array(tags, pa.list_(TEXT)))
        put(other.file("outputs", index), table, schema)
        put(job.folder.file("outputs", 7 + index), table, schema)
    sql = "SELECT tags, count(*) FROM outputs WHERE job_id = ? GROUP BY tags ORDER BY tags NULLS FIRST"
    rows = len(old)
    assert query(job.results, sql, ["newer"]).rows == [(None, rows), (["a", "b"], rows)]
    assert query(job.results, sql, [job.folder.job_id]).rows == [(None, 2 * rows), (["a", "b"], rows)]
    assert query(job.results, "SELECT max(novelty), count(*) FROM summaries").rows[0][0] is None


def test_the_samples_of_an_older_job_can_be_asked_for_new_columns(job: Job, newer: dict[Kind, Schema]) -> None:
    with Samples.open(job.folder) as samples:
        assert len(samples.find(Selection(), limit=10)) == 4
        rows = samples._answer(samples.generated, "SELECT DISTINCT weight, tags FROM scores JOIN outputs USING (task)")
    assert rows.to_pylist() == [{"weight": None, "tags": None}]


@pytest.mark.parametrize("kind", [Call, Output, Score, Summary])
def test_a_field_that_came_later_stands_after_those_before_it(kind: type) -> None:
    versions = [field.metadata.get(SINCE, 1) for field in fields(kind)]
    assert versions == sorted(versions)
    assert all(field.default is None for field in fields(kind) if field.metadata.get(SINCE, 1) > 1)


def test_the_columns_of_the_first_release_are_those_that_it_wrote(job: Job) -> None:
    for kind, schema in SCHEMAS.items():
        for file in (job.folder.path / kind).glob("*.parquet"):
            assert pq.read_schema(file).equals(schema.at(1))
