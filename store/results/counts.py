"""What is counted over all finished shards of a job: its calls by their ends, its outputs, and its scores."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

from core.result import CallOutcome, Outcome
from store.results.folder import JobFolder
from store.results.parquet import read_parquet
from store.results.repeated import count_repeated, has_trials
from store.results.schemas import SCHEMAS, Kind


class CallEnd(NamedTuple):
    """A way in which calls to a task's target, or to its judge `metric`, ended; an error, and the highest status."""

    task: str
    target: str
    metric: str
    outcome: CallOutcome
    error: str | None
    status: int | None = None


class ScoreOf(NamedTuple):
    """What a score is of, and its name."""

    task: str
    target: str
    metric: str
    name: str


class OutputCount(NamedTuple):
    """How many of a target's outputs on a task were cut off, of how many.

    Of samples that have several, `repeated` are so many, and in `varied` of those they differ.
    """

    truncated: int
    outputs: int
    repeated: int = 0
    varied: int = 0


def call_ends(folder: JobFolder) -> list[CallEnd]:
    """Return the ways in which the calls to each model have ended."""
    keys = ["task", "target", "metric", "outcome"]
    tables = list(_tables(folder, "calls", [*keys, "error", "status"]))
    if not tables:
        return []
    ends = pa.concat_tables(tables).group_by(keys).aggregate([("error", "min"), ("status", "max")])
    return [CallEnd(*row.values()) for row in ends.to_pylist()]


def count_outputs(folder: JobFolder) -> dict[tuple[str, str], OutputCount]:
    """Count the outputs, and those that were cut off, by task and target."""
    keys = ["task", "target"]
    files = map(folder.objects.file, folder.files("outputs"))
    read = ((file, read_parquet(file, SCHEMAS["outputs"], [*keys, "trial", "truncated"])) for file in files)
    tables = {file: table for file, table in read if table is not None}
    if not tables:
        return {}
    counts = pa.concat_tables(tables.values()).group_by(keys)
    counted = counts.aggregate([("truncated", "sum"), ("truncated", "count")]).to_pylist()
    repeated, varied = count_repeated(file for file, table in tables.items() if has_trials(table))
    return {
        (task, target): OutputCount(truncated, outputs, repeated[task, target], varied[task, target])
        for task, target, truncated, outputs in map(dict.values, counted)
    }


def count_passed(folder: JobFolder) -> Counter[ScoreOf]:
    """Count the scores that passed."""
    passed = Counter[ScoreOf]()
    for table in _tables(folder, "scores", [*ScoreOf._fields, "passed"]):
        counts = table.group_by(list(ScoreOf._fields)).aggregate([("passed", "sum")])
        passed.update({ScoreOf(*key): count or 0 for *key, count in map(dict.values, counts.to_pylist())})
    return passed


def unscored_errors(folder: JobFolder) -> dict[ScoreOf, dict[Outcome, str | None]]:
    """Return an error for each outcome of the scores that have no value."""
    keys = [*ScoreOf._fields, "outcome"]
    errors: dict[ScoreOf, dict[Outcome, str | None]] = {}
    for table in _tables(folder, "scores", [*keys, "error"]):
        ends = table.group_by(keys).aggregate([("error", "min")])
        for *key, outcome, error in map(dict.values, ends.to_pylist()):
            if outcome != "scored":
                errors.setdefault(ScoreOf(*key), {}).setdefault(outcome, error)
    return errors


def _tables(folder: JobFolder, kind: Kind, columns: list[str]) -> Iterator[pa.Table]:
    """Yield the columns of each finished shard, unless its file is gone by now."""
    read = (folder.read_rows(file, kind, columns) for file in folder.files(kind))
    yield from (table for table in read if table is not None)
