"""The columns of the result files, and the conversion of results to and from Arrow tables.

Types are never inferred. What one may filter by is a typed column; a value of unknown shape is
JSON text. The order of the columns is that of the fields in `core.result`.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Final, Literal

import orjson
import pyarrow as pa

from core.job import Job
from core.plan import SCHEMA_VERSION
from core.result import Call, Output, Score, Summary
from store.results.rows import call_of, call_row, well_formed

Kind = Literal["samples", "calls", "outputs", "scores", "summaries"]
"""A folder of result files in a job's folder."""

VERSION_KEY: Final = b"assay.schema_version"

_TEXT = pa.string()
_JSON = pa.string()
_INT = pa.int64()
_FLOAT = pa.float64()
_BOOL = pa.bool_()
_TIME = pa.timestamp("us", tz="UTC")


def _schema(columns: dict[str, pa.DataType]) -> pa.Schema:
    return pa.schema(list(columns.items()), metadata={VERSION_KEY: str(SCHEMA_VERSION).encode()})


SCHEMAS: Final[dict[Kind, pa.Schema]] = {
    "samples": _schema({"task": _TEXT, "sample": _INT, "item": _JSON}),
    "calls": _schema(
        {
            "task": _TEXT,
            "sample": _INT,
            "target": _TEXT,
            "trial": _INT,
            "role": _TEXT,
            "metric": _TEXT,
            "pass": _INT,
            "outcome": _TEXT,
            "request": _JSON,
            "response": _JSON,
            "status": _INT,
            "error": _TEXT,
            "prompt_tokens": _INT,
            "completion_tokens": _INT,
            "total_tokens": _INT,
            "started_at": _TIME,
            "seconds": _FLOAT,
            "attempts": _INT,
        }
    ),
    "outputs": _schema(
        {
            "task": _TEXT,
            "sample": _INT,
            "target": _TEXT,
            "trial": _INT,
            "text": _TEXT,
            "reasoning": _TEXT,
            "tool_calls": _JSON,
            "response": _JSON,
            "finish_reason": _TEXT,
            "truncated": _BOOL,
            "empty": _BOOL,
            "outcome": _TEXT,
            "error": _TEXT,
        }
    ),
    "scores": _schema(
        {
            "task": _TEXT,
            "sample": _INT,
            "target": _TEXT,
            "trial": _INT,
            "metric": _TEXT,
            "name": _TEXT,
            "outcome": _TEXT,
            "value": _FLOAT,
            "label": _TEXT,
            "passed": _BOOL,
            "feedback": _TEXT,
            "error": _TEXT,
            "detail": _JSON,
        }
    ),
    "summaries": _schema(
        {
            "task": _TEXT,
            "target": _TEXT,
            "metric": _TEXT,
            "name": _TEXT,
            "count": _INT,
            "nan_count": _INT,
            "sum": _FLOAT,
            "mean": _FLOAT,
            "min": _FLOAT,
            "max": _FLOAT,
            "sum_squared": _FLOAT,
            "variance": _FLOAT,
            "stddev": _FLOAT,
            "stderr": _FLOAT,
            "outcomes": _JSON,
        }
    ),
}

JOB: Final[pa.Schema] = _schema(
    {
        "id": _TEXT,
        "face": _TEXT,
        "namespace": _TEXT,
        "project": _TEXT,
        "name": _TEXT,
        "target": _TEXT,
        "model": _TEXT,
        "config": _TEXT,
        "deployment": _TEXT,
        "status": _TEXT,
        "created_at": _TIME,
        "started_at": _TIME,
        "finished_at": _TIME,
    }
)

_STARTED_AT: Final[int] = SCHEMAS["calls"].get_field_index("started_at")


def samples_table(task: str, start: int, items: Sequence[str]) -> pa.Table:
    """Return the samples from row `start` of a task; `items` are the rows as JSON texts."""
    rows = ((task, sample, item) for sample, item in enumerate(items, start))
    return _table(SCHEMAS["samples"], rows)


def calls_table(calls: Iterable[Call]) -> pa.Table:
    """Return the calls, their keys flattened and their times in microseconds."""
    rows = [call_row(call) for call in calls]
    for row in rows:
        row[_STARTED_AT] = round(row[_STARTED_AT] * 1e6)
    return _table(SCHEMAS["calls"], rows)


def outputs_table(outputs: Iterable[Output]) -> pa.Table:
    """Return the outputs as a table."""
    return _table(SCHEMAS["outputs"], map(attrgetter(*SCHEMAS["outputs"].names), outputs))


def scores_table(scores: Iterable[Score]) -> pa.Table:
    """Return the scores as a table."""
    return _table(SCHEMAS["scores"], map(attrgetter(*SCHEMAS["scores"].names), scores))


def summaries_table(summaries: Iterable[Summary]) -> pa.Table:
    """Return the summaries, their outcome counts as JSON text."""
    fixed = attrgetter(*SCHEMAS["summaries"].names[:-1])
    rows = ((*fixed(summary), orjson.dumps(summary.outcomes).decode()) for summary in summaries)
    return _table(SCHEMAS["summaries"], rows)


def job_table(job: Job) -> pa.Table:
    """Return what the `jobs` view shows of a job, as a table of one row."""
    # A job record does not know yet which deployment started it.
    row = [None if name == "deployment" else getattr(job, name) for name in JOB.names]
    return _table(JOB, [row])


def calls_of(table: pa.Table) -> list[Call]:
    """Return the calls of a table."""
    columns = [column.to_pylist() for column in table.drop_columns("started_at").columns]
    columns.insert(_STARTED_AT, [time / 1e6 for time in table["started_at"].cast(_INT).to_pylist()])
    return [call_of(row) for row in zip(*columns, strict=True)]


def outputs_of(table: pa.Table) -> list[Output]:
    """Return the outputs of a table."""
    return [Output(*row) for row in _rows(table)]


def scores_of(table: pa.Table) -> list[Score]:
    """Return the scores of a table."""
    return [Score(*row) for row in _rows(table)]


def summaries_of(table: pa.Table) -> list[Summary]:
    """Return the summaries of a table."""
    rows = ((*fixed, orjson.loads(outcomes)) for *fixed, outcomes in _rows(table))
    return [Summary(*row) for row in rows]


def _table(schema: pa.Schema, rows: Iterable[Sequence[Any]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.Table.from_arrays([_array(*pair) for pair in zip(columns, schema.types, strict=True)], schema=schema)


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        return pa.array([well_formed(value) for value in values], kind)


def _rows(table: pa.Table) -> Iterable[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)
