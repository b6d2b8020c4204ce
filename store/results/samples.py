"""The samples of one job as rows: an output, its item and its scores, filtered, sorted and paged.

A page is found in two steps: which rows it has, by as few columns as that takes, and then those rows in
full, from the shards that hold them. What is read is what shards have finished, also while a job runs.
"""

from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow as pa

from core.errors import InvalidInput, ResultsMissing, SchemaMismatch
from core.job import Stage
from core.plan import Shard
from core.queries.samples import Compared, Selection
from store.results.columns import Schema
from store.results.folder import JobFolder
from store.results.parquet import missing, place, version_of
from store.results.sample_sql import (
    KEY,
    Bindings,
    Names,
    Position,
    ScoreName,
    before_best,
    check_names,
    positions,
)
from store.results.schemas import SCHEMAS, Kind

OF_OUTPUT: Final = ("reasoning", "tool_calls", "finish_reason", "truncated", "empty", "outcome", "error")
OF_SCORE: Final = ("metric", "name", "outcome", "value", "label", "passed", "feedback", "error")
MOST_ROWS: Final = 1_000
"""So many rows of one sample, of its targets and trials, are looked at."""

MOST_BLOCKS: Final = 16
"""So many blocks of a file's rows are looked for at a time."""

QUICK_TURNS: Final = 2
"""So many times some shards are looked through for rows of the best value, before all are."""

PARTS_HELD: Final = 1.5
"""So many parts of shards, of which each is small enough to be held, may rows that are loaded together make up."""

GROWTH: Final = 16
"""So many times more shards are looked through next if a page is not full yet."""

SURPLUS: Final = 1.5
"""So many times the shards that the rest of a page should take are looked through for it."""

KINDS: Final[tuple[Kind, ...]] = ("samples", "outputs", "scores")
READABLE: Final[tuple[Kind, ...]] = (*KINDS, "calls")

BOUNDS: Final[dict[str, str | bool | int | float | list[str]]] = {"memory_limit": "1GB", "threads": 2}
"""What answering one question may take of the machine."""

SCORES: Final = pa.list_(pa.struct([SCHEMAS["scores"].arrow.field(name) for name in OF_SCORE]))
ROWS: Final[pa.Schema] = pa.schema(
    [
        *(SCHEMAS["outputs"].arrow.field(name) for name in KEY),
        SCHEMAS["samples"].arrow.field("item"),
        SCHEMAS["outputs"].arrow.field("text").with_name("output"),
        *(SCHEMAS["outputs"].arrow.field(name) for name in OF_OUTPUT),
        pa.field("scores", SCORES),
    ]
)
"""The columns of a row: what it is, its item, its output and what is to be said of that, and its scores."""


class Coverage(NamedTuple):
    """How many samples a job has, and of how many the outputs, and the scores, can be read now."""

    samples: int
    generated: int
    judged: int


@dataclass(frozen=True)
class Samples:
    """What the shards of a job had finished when it was opened."""

    folder: JobFolder
    names: Names
    shards: tuple[Shard, ...]
    generated: tuple[Shard, ...]
    judged: frozenset[int]
    connection: duckdb.DuckDBPyConnection
    shown: dict[Kind, Sequence[Path]] = field(default_factory=dict)
    """The files that the views show now."""

    @classmethod
    @contextmanager
    def open(cls, folder: JobFolder) -> Iterator["Samples"]:
        """Look at what there is; a job that is not resolved has nothing."""
        manifest = folder.read_manifest()
        shards = manifest.shards if manifest else ()
        finished = folder.finished("generate") if manifest else frozenset()
        generated = tuple(shard for shard in shards if shard.index in finished)
        judged = folder.finished("judge") & finished if manifest else frozenset()
        tasks = [task.name for task in manifest.spec.tasks] if manifest else []
        targets = [target.name for target in manifest.spec.targets] if manifest else []
        with duckdb.connect(":memory:", config=BOUNDS) as connection:
            samples = cls(folder, Names(tasks, targets, ()), shards, generated, judged, connection)
            samples._confine()
            yield replace(samples, names=Names(tasks, targets, samples._score_names()))

    @property
    def coverage(self) -> Coverage:
        """How much of the job can be read."""
        judged = (len(shard) for shard in self.generated if shard.index in self.judged)
        return Coverage(sum(map(len, self.shards)), sum(map(len, self.generated)), sum(judged))

    def find(self, selection: Selection, *, limit: int, after: Position | None = None) -> list[Position]:
        """Return the first rows of a selection, or the first after a position in it.

        Raises InvalidInput for a task, target, metric, score or column that the job does not have.
        """
        if after is None:
            self._check(selection)
            if selection.sort != ("sample",) and (best := self._before_best(selection)):
                found = self._look(selection, limit, best, turns=QUICK_TURNS)
                if len(found) >= limit:
                    return found
        return self._look(selection, limit, after)

    def _look(
        self, selection: Selection, limit: int, after: Position | None, *, turns: int | None = None
    ) -> list[Position]:
        """Look through the shards that a page may come from, in all turns or in the first."""
        found: list[Position] = []
        for shards, is_beyond in islice(self._in_turn(selection, after, found, limit), turns):
            bindings, rest = Bindings(), limit - len(found)
            statement = positions(selection, self.names, bindings, limit=rest, after=after, is_beyond=is_beyond)
            found += [Position(*row.values()) for row in self._answer(shards, statement, bindings.values).to_pylist()]
            if len(found) >= limit:
                break
        return found

    def _before_best(self, selection: Selection) -> Position | None:
        try:
            return before_best(selection, self.names, self.folder.read_summaries() or [])
        except (ResultsMissing, SchemaMismatch):
            return None

    def place(self, selection: Selection, task: str, sample: int) -> Position | None:
        """Return where the last row of a sample is in an order, whatever else is asked; None before it is generated."""
        holding = [shard for shard in self.generated if shard.task == task and shard.start <= sample < shard.stop]
        own = replace(selection, conditions=(Compared(("sample",), "eq", sample),))
        bindings = Bindings()
        statement = positions(own, self.names, bindings, limit=MOST_ROWS)
        rows = self._answer(holding, statement, bindings.values).to_pylist() if holding else []
        return Position(*rows[-1].values()) if rows else None

    def first_items(self) -> list[str]:
        """Return the first row of each task, as JSON text."""
        first = {shard.task: shard for shard in reversed(self.generated)}
        statement = """
            SELECT arg_min(item, sample) AS item FROM samples WHERE sample IN (FROM unnest($starts))
            GROUP BY task ORDER BY task"""
        starts = {"starts": [shard.start for shard in first.values()]}
        rows = self._answer(list(first.values()), statement, starts, kinds=["samples"]) if first else None
        return [] if rows is None else [str(item) for item in rows["item"].to_pylist()]

    def ask(self, statement: str, values: object = None, *, kinds: Sequence[Kind]) -> pa.Table:
        """Answer a statement over the rows of some kinds, of all shards that are generated."""
        return self._answer(self.generated, statement, values, kinds=kinds)

    def load(self, rows: Sequence[Position], *, cut: int | None = None) -> pa.Table:
        """Return rows in full, with the columns of `ROWS`; with `cut` outputs are that long, and longer items empty."""
        if not rows:
            return ROWS.empty_table()
        holding = [shard for shard in self.generated if _holds(shard, rows)]
        keys: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in KEY}
        keys |= {"low": min(keys["sample"]), "high": max(keys["sample"])}
        item, text = "item", "text"
        if cut is not None:
            item, text = f"if(strlen(item) > {10 * cut:d}, '{{}}', item)", f"left(text, {cut:d})"
        return self._answer(holding, _load(item, text), keys).cast(ROWS)

    def blocks(
        self, selection: Selection, *, size: int, limit: int | None = None, after: Position | None = None
    ) -> Iterator[pa.Table]:
        """Yield a selection in full, or what follows a position in it, in blocks that are small enough to be held.

        At most `size` rows are looked for at a time, and there are at most `limit` in all. Raises as `find` does.
        """
        parts, left = self._parts(self._first(self.generated)), limit  # of all shards they would keep the first waiting
        while left is None or left > 0:
            most = min(size, MOST_BLOCKS * min(map(len, parts), default=size))
            found = self.find(selection, limit=most if left is None else min(most, left), after=after)
            if not found:
                return
            parts = self._parts_with(found)
            yield from self.load_each(found, parts)
            after = found[-1]
            left = None if left is None else left - len(found)

    def load_each(self, rows: Sequence[Position], parts: Sequence[Shard] | None = None) -> Iterator[pa.Table]:
        """Yield rows in full, as `load` returns them, in blocks that are small enough to be held."""
        held: list[Position] = []
        share = 0.0
        part_of = _finder(self._parts_with(rows) if parts is None else parts)
        for row in rows:
            own = 1 / len(part_of(row))
            if held and share + own > PARTS_HELD:
                yield self.load(held)
                held, share = [], 0.0
            held.append(row)
            share += own
        yield self.load(held)

    def _parts_with(self, rows: Sequence[Position]) -> list[Shard]:
        """Return the shards that have some of the rows, which are found, in parts."""
        holding = set(map(_finder(self.generated), rows))
        return self._parts([shard for shard in self.generated if shard in holding])

    def _parts(self, shards: Iterable[Shard]) -> list[Shard]:
        """Return shards in parts that are small enough to be held."""
        return [part for shard in shards for part in self.folder.parts(shard)]

    def _in_turn(
        self, selection: Selection, after: Position | None, found: Sized, limit: int
    ) -> Iterator[tuple[Sequence[Shard], bool]]:
        """Yield the shards that a page may come from, and whether they are to lie beyond the value where it begins.

        Those come first, ever more at a time, that are in the page's order, as all rows of one value are; no more than
        what was `found` of the page by then lets one expect to need.
        """
        by_score = selection.sort != ("sample",)
        if by_score and after is None:
            yield self.generated, False
            return
        is_reversed = selection.backwards if by_score else selection.descending != selection.backwards
        shards = self.generated[::-1] if is_reversed else self.generated
        first = start = next((n for n, shard in enumerate(shards) if after and _holds(shard, [after])), 0)
        size = 1
        while start < len(shards):
            yield shards[start : start + size], False
            start, size = start + size, GROWTH * size
            if found:
                size = min(size, ceil(SURPLUS * (limit - len(found)) * (start - first) / len(found)))
        if by_score:
            yield self.generated, True

    def _check(self, selection: Selection) -> None:
        for each in selection.conditions:
            check_names(each, self.names)
        asked = {each.field[1] for each in selection.conditions if each.field[0] == "item" and len(each.field) == 2}
        # The first rows have most columns; only for one that they lack all are looked through.
        for shards in (self._first(self.generated), self.generated):
            statement = "SELECT DISTINCT unnest(json_keys(item)) AS name FROM samples ORDER BY ALL"
            columns = self._answer(shards, statement).column("name").to_pylist() if asked else []
            asked = {name for name in asked if not {name, name.partition(".")[0]} & set(columns)}
        if asked and columns and len(self.generated) == len(self.shards):
            raise InvalidInput(f"no row has a column {min(asked)!r}; columns: {', '.join(columns)}")

    def _score_names(self) -> list[ScoreName]:
        # Every shard of a task has all scores of the task, be they missing or not.
        first = self._first([shard for shard in self.generated if shard.index in self.judged])
        statement = "SELECT DISTINCT metric, name FROM scores ORDER BY ALL"
        return [(row["metric"], row["name"]) for row in self._answer(first, statement).to_pylist()]

    @staticmethod
    def _first(shards: Sequence[Shard]) -> list[Shard]:
        """Return the first of the shards of each task."""
        return list({shard.task: shard for shard in reversed(shards)}.values())

    def _answer(
        self, shards: Sequence[Shard], statement: str, values: object = None, *, kinds: Sequence[Kind] = KINDS
    ) -> pa.Table:
        """Answer a statement over some of the shards; raises ResultsMissing if a file is gone or damaged."""
        for kind in kinds:
            files = self._files(kind, shards)
            if self.shown.get(kind) != files:
                self._view(kind, list(map(self.folder.objects.file, files)))
                self.shown[kind] = files
        try:
            return self.connection.sql(statement, params=values).to_arrow_table()
        except duckdb.IOException as error:  # a file went since it was looked at
            raise ResultsMissing(f"{place(self.folder.path)} cannot be read whole; try again") from error

    def _view(self, kind: Kind, files: Sequence[Path]) -> None:
        """Have a view show the rows of files, with nulls in the columns that the older of them lack.

        Raises ResultsMissing or SchemaMismatch for one that cannot be read.
        """
        schema = SCHEMAS[kind]
        versions = {_version(file, schema) for file in files}
        none = self.connection.from_arrow(schema.arrow.empty_table())
        if not files:
            none.create_view(kind, replace=True)
            return
        older = versions != {schema.version}
        rows = self.connection.read_parquet(list(map(str, files)), union_by_name=older)  # which takes a look into each
        if older:
            none.create_view(f"no_{kind}", replace=True)
            rows.create_view(f"older_{kind}", replace=True)
            rows = self.connection.sql(f"FROM older_{kind} UNION ALL BY NAME FROM no_{kind}")
        rows.create_view(kind, replace=True)

    def _confine(self) -> None:
        """Let DuckDB read the files of the job's rows, and nothing else."""
        folders = (self.folder.path / kind for kind in READABLE)
        self.connection.execute(f"SET allowed_directories = [{', '.join(map(_quoted, folders))}]")
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

    def _files(self, kind: Kind, shards: Sequence[Shard]) -> list[Path]:
        judged = [shard for shard in shards if shard.index in self.judged]
        if kind == "calls":
            passed: tuple[tuple[Stage, Sequence[Shard]], ...] = (("generate", shards), ("judge", judged))
            return [self.folder.calls_file(stage, shard) for stage, those in passed for shard in those]
        return [self.folder.file(kind, shard.index) for shard in (judged if kind == "scores" else shards)]


def _load(item: str, text: str) -> str:
    """Return the statement that reads rows in full, with what stands for their items and outputs."""
    return f"""
    WITH keys AS (
        SELECT unnest($task) AS task, unnest($sample) AS sample, unnest($target) AS target, unnest($trial) AS trial,
               unnest(range(len($task))) AS position
    ), graded AS (
        SELECT {", ".join(KEY)},
               list({{{", ".join(f"'{name}': {name}" for name in OF_SCORE)}}} ORDER BY metric, name) AS scores
        FROM {_near("scores")} SEMI JOIN keys USING ({", ".join(KEY)})
        GROUP BY {", ".join(KEY)}
    )
    SELECT {", ".join(KEY)}, {item} AS item, {text} AS output, {", ".join(OF_OUTPUT)},
           coalesce(scores, []) AS scores
    FROM keys JOIN {_near("outputs")} USING ({", ".join(KEY)}) JOIN {_near("samples")} USING (task, sample)
    LEFT JOIN graded USING ({", ".join(KEY)})
    ORDER BY position"""


def _near(kind: Kind) -> str:
    """Return the rows of a kind among which those are that are read: row groups that have none of them are left out."""
    return f"(FROM {kind} WHERE sample BETWEEN $low AND $high)"


def _finder(parts: Iterable[Shard]) -> Callable[[Position], Shard]:
    """Return what finds the shard, or the part of one, that has a row."""
    by_task: defaultdict[str, list[Shard]] = defaultdict(list)
    for part in parts:
        by_task[part.task].append(part)
    starts = {task: [part.start for part in own] for task, own in by_task.items()}
    return lambda row: by_task[row.task][bisect(starts[row.task], row.sample) - 1]


def _holds(shard: Shard, rows: Iterable[Position]) -> bool:
    return any(row.task == shard.task and shard.start <= row.sample < shard.stop for row in rows)


def _version(file: Path, schema: Schema) -> int:
    version = version_of(file, schema)
    if version is None:
        raise missing(file)
    return version


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
