"""The kinds of result files, each with its columns and its version, and their rows to and from Arrow tables.

The columns of calls, outputs, scores and summaries are the fields of `core.result`: a new one is a field there.
"""

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Final, Literal

import pyarrow as pa

from core.job import Job, OpenJob
from core.result import Call, Output, Score, Summary
from store.results.columns import INT, TEXT, TIME, Column, Schema, columns_of
from store.results.rows import COLUMNS, call_of, call_row
from store.secrets import mask

Kind = Literal["samples", "calls", "outputs", "scores", "summaries"]
"""A folder of result files in a job's folder."""

SCHEMAS: Final[dict[Kind, Schema]] = {
    "samples": Schema("samples", (Column("task", TEXT), Column("sample", INT), Column("item", TEXT))),
    "calls": Schema("calls", COLUMNS),
    "outputs": Schema("outputs", tuple(columns_of(Output))),
    "scores": Schema("scores", tuple(columns_of(Score))),
    "summaries": Schema("summaries", tuple(columns_of(Summary))),
}

JOB: Final = Schema(
    "job",
    (
        *(Column(name, TEXT) for name in ("id", "face", "namespace", "project", "name", "target", "model", "config")),
        *(Column(name, TEXT) for name in ("deployment", "status")),
        *(Column(name, TIME) for name in ("created_at", "started_at", "finished_at")),
        # What `assay recover` needs besides, to show the job as it was.
        Column("description", TEXT, since=2),
        *(Column(name, TEXT, since=2, form="json") for name in ("request", "failure", "custom_fields", "ownership")),
        Column("retry_of", TEXT, since=3),
    ),
)


def samples_tables(task: str, start: int, items: Iterable[str]) -> Iterator[pa.Table]:
    """Yield the samples from row `start` of a task as row groups; `items` are the rows as JSON texts."""
    return SCHEMAS["samples"].tables((task, sample, item) for sample, item in enumerate(items, start))


def calls_table(calls: Iterable[Call]) -> pa.Table:
    """Return the calls, their keys flattened and their times in microseconds."""
    return SCHEMAS["calls"].table(map(call_row, calls))


def calls_tables(calls: Iterable[Call]) -> Iterator[pa.Table]:
    """Yield the calls as row groups."""
    return SCHEMAS["calls"].tables(map(call_row, calls))


def tables(kind: Kind, rows: Iterable[Output] | Iterable[Score] | Iterable[Summary]) -> Iterator[pa.Table]:
    """Yield rows of a kind as row groups."""
    schema = SCHEMAS[kind]
    return schema.tables(map(attrgetter(*(column.path for column in schema.columns)), rows))


def job_table(job: Job | OpenJob) -> pa.Table:
    """Return what the `jobs` view shows of a job, and what it was asked without its keys, as a table of one row.

    Of a record that is damaged no more is there than the control loop knows of it.
    """
    hidden = mask({name: getattr(job, name, None) for name in ("request", "custom_fields", "ownership")})
    # A job record does not know yet which deployment started it.
    known = {"deployment": None, "failure": job.failure and job.failure.model_dump(), **hidden}
    row = [known[column.name] if column.name in known else getattr(job, column.name, None) for column in JOB.columns]
    return JOB.table([row])


def calls_of(table: pa.Table) -> list[Call]:
    """Return the calls of a table."""
    return list(map(call_of, SCHEMAS["calls"].rows(table)))


def outputs_of(table: pa.Table) -> list[Output]:
    """Return the outputs of a table."""
    return [Output(*row) for row in SCHEMAS["outputs"].rows(table)]


def scores_of(table: pa.Table) -> list[Score]:
    """Return the scores of a table."""
    return [Score(*row) for row in SCHEMAS["scores"].rows(table)]


def summaries_of(table: pa.Table) -> list[Summary]:
    """Return the summaries of a table."""
    return [Summary(*row) for row in SCHEMAS["summaries"].rows(table)]
