from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.job import Job
from core.result import Call, CallKey, Output, Score, Summary, Usage
from core.spec import EvaluationSpec, RecordedTarget, RowsDataset, TaskSpec
from store.results import schemas
from store.results.columns import VERSION_KEY
from store.results.schemas import JOB, SCHEMAS, Kind

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text()
MAYBE_TEXT = st.none() | TEXT
MAYBE_INT = st.none() | INT64
FLOATS = st.floats(allow_nan=False)
MAYBE_FLOAT = st.none() | FLOATS
OUTCOMES = st.sampled_from(["scored", "refused", "judge_error"])

OUTPUTS = st.builds(
    Output, TEXT, INT64, TEXT, INT64, *[MAYBE_TEXT] * 5, st.booleans(), st.booleans(), OUTCOMES, MAYBE_TEXT
)
SCORES = st.builds(
    Score,
    *(TEXT, INT64, TEXT, INT64, TEXT, TEXT, OUTCOMES),
    *(MAYBE_FLOAT, MAYBE_TEXT, st.none() | st.booleans(), MAYBE_TEXT, MAYBE_TEXT, MAYBE_TEXT),
)
SUMMARIES = st.builds(
    Summary,
    *(TEXT, TEXT, TEXT, TEXT, INT64, INT64, *[MAYBE_FLOAT] * 8),
    outcomes=st.dictionaries(OUTCOMES, st.integers(0, 2**60)),
)
MICROSECONDS = st.integers(0, 4_000_000_000_000_000).map(lambda us: us / 1e6)
CALLS = st.builds(
    Call,
    key=st.builds(CallKey, TEXT, INT64, TEXT, INT64, st.sampled_from(["target", "judge"]), TEXT, INT64),
    outcome=st.sampled_from(["answered", "transient"]),
    request=TEXT,
    response=MAYBE_TEXT,
    status=MAYBE_INT,
    error=MAYBE_TEXT,
    usage=st.builds(Usage, MAYBE_INT, MAYBE_INT, MAYBE_INT),
    started_at=MICROSECONDS,
    seconds=FLOATS,
    attempts=INT64,
)


def table(kind: Kind, rows: list[Any]) -> pa.Table:
    (only,) = schemas.tables(kind, rows)
    return only


@given(st.lists(OUTPUTS, max_size=3), st.lists(SCORES, max_size=3))
def test_outputs_and_scores_come_back_as_they_were(outputs: list[Output], scores: list[Score]) -> None:
    assert schemas.outputs_of(table("outputs", outputs)) == outputs
    assert schemas.scores_of(table("scores", scores)) == scores


@given(st.lists(CALLS, max_size=3), st.lists(SUMMARIES, max_size=3))
def test_calls_and_summaries_come_back_as_they_were(calls: list[Call], summaries: list[Summary]) -> None:
    assert schemas.calls_of(schemas.calls_table(calls)) == calls
    assert schemas.summaries_of(table("summaries", summaries)) == summaries


def test_columns_are_the_fields_in_their_order() -> None:
    assert SCHEMAS["outputs"].arrow.names == [field.name for field in fields(Output)]
    assert SCHEMAS["scores"].arrow.names == [field.name for field in fields(Score)]
    assert SCHEMAS["summaries"].arrow.names == [field.name for field in fields(Summary)]
    assert SCHEMAS["calls"].arrow.names[:7] == [*CallKey._fields[:6], "pass"]


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("samples", next(schemas.samples_tables("qa", 0, []))),
        ("calls", schemas.calls_table([])),
        ("outputs", table("outputs", [])),
        ("scores", table("scores", [])),
        ("summaries", table("summaries", [])),
    ],
)
def test_a_table_without_rows_has_all_columns_and_types(kind: schemas.Kind, table: pa.Table) -> None:
    assert table.num_rows == 0
    assert table.schema.equals(SCHEMAS[kind].arrow, check_metadata=True)


def test_samples_are_numbered_from_the_shards_start() -> None:
    table = next(schemas.samples_tables("qa", 25, ['{"q":1}', '{"q":2}']))
    assert table.to_pylist() == [
        {"task": "qa", "sample": 25, "item": '{"q":1}'},
        {"task": "qa", "sample": 26, "item": '{"q":2}'},
    ]
    assert table.schema.types == [pa.string(), pa.int64(), pa.string()]


def test_a_lone_surrogate_does_not_stop_the_table() -> None:
    outputs = [Output("qa", 0, "target", text="a\udc00b"), Output("qa", 1, "target", text=None, error="é")]
    read = schemas.outputs_of(table("outputs", outputs))
    assert read[0].text == "a\ufffdb"
    assert read[1] == outputs[1]


def test_a_value_of_the_wrong_type_is_refused_rather_than_bent() -> None:
    score = Score("qa", 0, "target", 0, "m", "n", "scored", 1.0)
    with pytest.raises(pa.ArrowInvalid):
        table("scores", [replace(score, value="1.0")])  # type: ignore[arg-type]
    assert schemas.scores_of(table("scores", [replace(score, value=1)]))[0].value == 1.0


def test_times_of_calls_are_kept_in_microseconds_of_utc() -> None:
    call = Call(CallKey("qa", 0, "t", 0, "target", "", 0), "answered", "{}", started_at=1_700_000_000.123456)
    [time] = schemas.calls_table([call])["started_at"].to_pylist()
    assert time.isoformat() == "2023-11-14T22:13:20.123456+00:00"
    assert schemas.calls_of(schemas.calls_table([call])) == [call]


def test_a_job_is_one_row_with_utc_times() -> None:
    spec = EvaluationSpec(targets=(RecordedTarget(),), tasks=(TaskSpec(name="qa", dataset=RowsDataset(rows=[])),))
    created = datetime(2026, 1, 2, 3, tzinfo=UTC).replace(tzinfo=None)
    job = Job(
        "job-1", "nemo-v2", {}, "first", spec=spec, model="m", status="running", created_at=created, updated_at=created
    )
    [row] = schemas.job_table(job).to_pylist()
    assert list(row) == JOB.arrow.names
    assert (row["id"], row["face"], row["model"], row["status"]) == ("job-1", "nemo-v2", "m", "running")
    assert row["created_at"].isoformat() == "2026-01-02T03:00:00+00:00"
    assert (row["deployment"], row["finished_at"]) == (None, None)


def test_a_file_carries_its_schema_version(tmp_path: Path) -> None:
    pq.write_table(table("scores", []), tmp_path / "s.parquet")
    metadata = pq.read_schema(tmp_path / "s.parquet").metadata
    assert metadata[VERSION_KEY] == str(SCHEMAS["scores"].version).encode()
    assert all(VERSION_KEY in schema.arrow.metadata for schema in (JOB, *SCHEMAS.values()))


def test_rows_whose_texts_are_large_are_row_groups_of_their_own() -> None:
    outputs = [
        Output("qa", sample, "target", text="x" * (3_000_000 if sample == 2 else 1_500_000)) for sample in range(6)
    ]
    assert [each["sample"].to_pylist() for each in schemas.tables("outputs", outputs)] == [[0, 1], [2], [3, 4], [5]]


def test_no_row_is_asked_for_before_those_ahead_are_taken() -> None:
    asked: list[int] = []

    def outputs() -> Iterator[Output]:
        for sample in range(4):
            asked.append(sample)
            yield Output("qa", sample, "target", text="x" * 3_000_000)

    tables = schemas.tables("outputs", outputs())
    assert next(tables)["sample"].to_pylist() == [0]
    assert asked == [0, 1]
