"""Results in parts: what is judged by now, the samples that have a value in a column, and what can be counted."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

import orjson
from pydantic import JsonValue

from core.errors import InvalidInput, StorageFailed
from core.job import ListedJob
from core.plan import Manifest, Shard
from core.result import Score, Summary
from store.results.folder import JobFolder
from store.results.samples import Samples
from store.results.statistics import Counted, Statistics, read_statistics
from store.results.usage import usage_by_model
from store.workspace import Workspace
from tasks.summaries.aggregator import Aggregator, complete_summaries

MOST_VALUES: Final = 50
MOST_SAMPLES: Final = 200_000
LEAST_VALUES: Final = 2
FEW_VALUES: Final = 20
LOOKED_AT: Final = 5_000
"""Of so many rows the values of columns are counted."""


class Slice(NamedTuple):
    """The samples whose rows have a value in a column; those without one have null."""

    value: JsonValue
    summaries: list[Summary]


def summaries_so_far(folder: JobFolder, *, most: int = MOST_SAMPLES) -> list[Summary]:
    """Return the summaries of what is judged by now, of at most so many samples; none before anything is."""
    manifest = folder.read_manifest()
    if manifest is None:
        return []
    aggregator = _aggregator(manifest)
    for shard in manifest.shards:
        if (most := most - len(shard)) >= 0 and folder.is_finished("judge", shard):
            for part in folder.parts(shard):
                aggregator.take(folder, part)
    return aggregator.summaries()


def slice_summaries(folder: JobFolder, column: str) -> list[Slice]:
    """Return the summaries of the samples that have each value of a column of the rows, of what is judged by now.

    Raises Conflict before there is anything, and InvalidInput if no row has a value there, more than 50 differ, or the
    job has more than 200,000 samples.
    """
    manifest = folder.need_manifest()
    if sum(map(len, manifest.shards)) > MOST_SAMPLES:
        raise InvalidInput(f"slice: the job has more than {MOST_SAMPLES:,} samples; ask `assay sql`")
    slices: dict[bytes, Aggregator] = {}
    for shard in manifest.shards:
        for value, score in _valued(folder, shard, column):
            if value not in slices and len(slices) == MOST_VALUES:
                raise InvalidInput(f"slice: column {column!r} has more than {MOST_VALUES} values")
            slices.setdefault(value, _aggregator(manifest)).add([score])
    if slices.keys() <= {b"null"}:
        raise InvalidInput(f"slice: no row that is judged has a value in column {column!r}")
    _place(folder, manifest, slices)
    return [Slice(orjson.loads(value), slices[value].summaries()) for value in sorted(slices)]


def count_job(workspace: Workspace, job: ListedJob) -> Counted:
    """Return what can be counted of a job by now; of one that has ended, which is done once, what was kept of it."""
    if job.finished_at is None:
        return count_results(workspace.folder(job.id))
    counted = workspace.counted.of_job(job.id)
    if counted is None:
        counted = count_results(workspace.folder(job.id))
        with suppress(StorageFailed):  # then it is counted again
            workspace.counted.keep(job.id, counted)
    return counted


def uncounted(job: ListedJob) -> Counted:
    """Return what is known of a job whose results cannot be counted: what its record says that it has paid."""
    return Counted(Statistics((), (), (), ()), [], list(job.usage or ()))


def count_results(folder: JobFolder) -> Counted:
    """Return what can be counted of a job by now."""
    summaries = complete_summaries(folder) or summaries_so_far(folder)
    with Samples.open(folder) as samples:
        return Counted(read_statistics(samples, summaries), slicing_columns(folder), usage_by_model(folder))


def slicing_columns(folder: JobFolder) -> list[str]:
    """Return the columns by whose values a job's samples can be sliced, those of few values first.

    How many values a column has is told by the first rows of each task that are judged. There are none of a job that
    has more samples than can be sliced.
    """
    manifest = folder.read_manifest()
    if manifest is None or sum(map(len, manifest.shards)) > MOST_SAMPLES:
        return []
    values: dict[str, set[bytes]] = {}
    for row in _first_rows(folder, manifest):
        for name in dict.fromkeys([*values, *row]):
            if len(own := values.setdefault(name, set())) <= MOST_VALUES:
                own.add(_as_value(row.get(name)))
    slicing = [name for name, own in values.items() if LEAST_VALUES <= len(own) <= MOST_VALUES]
    return sorted(slicing, key=lambda name: len(values[name]) > FEW_VALUES)


def first_columns(samples: Samples) -> list[str]:
    """Return the columns of a job's rows, as the first of each task has them; none before there are any."""
    return list(dict.fromkeys(name for item in samples.first_items() for name in orjson.loads(item)))


def _valued(folder: JobFolder, shard: Shard, column: str) -> Iterator[tuple[bytes, Score]]:
    """Yield the scores of a shard, each with the value that its row has in a column."""
    for part in folder.parts(shard) if folder.is_finished("judge", shard) else ():
        values = [_as_value(row.get(column)) for row in folder.read_samples(part)]
        for score in folder.read_scores(part) or ():
            yield values[score.sample - part.start], score


def _as_value(value: JsonValue) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _first_rows(folder: JobFolder, manifest: Manifest) -> Iterator[dict[str, Any]]:
    """Yield the first rows that are judged of each task, as many of each."""
    left = dict.fromkeys((task.name for task in manifest.spec.tasks), LOOKED_AT // len(manifest.spec.tasks))
    for shard in manifest.shards:
        if left[shard.task] > 0 and folder.is_finished("judge", shard):
            for part in folder.parts(shard):
                yield from folder.read_samples(part)
            left[shard.task] -= len(shard)


def _place(folder: JobFolder, manifest: Manifest, slices: dict[bytes, Aggregator]) -> None:
    """Have every slice know what its samples count as, where that is in the rows."""
    reading = {task.name for task in manifest.spec.tasks if task.cluster or task.weight}
    for shard in manifest.shards:
        if shard.task in reading and folder.is_finished("judge", shard):
            for part in folder.parts(shard):
                rows = folder.read_samples(part)
                for each in slices.values():
                    each.place(part, rows)


def _aggregator(manifest: Manifest) -> Aggregator:
    return Aggregator(manifest.spec.tasks, manifest.spec.params.trials)
