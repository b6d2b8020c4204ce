"""A few columns of a shard's rows, for those who go through all shards of a job: texts that they do not need stay out.

A shard may be one of its parts wherever there are texts among the columns.
"""

from collections.abc import Iterator
from typing import Any

from core.plan import Shard
from core.result import Score
from store.results.folder import JobFolder
from store.results.parquet import missing
from store.results.repeated import of_trial
from store.results.schemas import SCHEMAS, Kind


def read_figures(folder: JobFolder, shard: Shard) -> Iterator[Score]:
    """Yield the scores of a judged shard, as far as they count: what was said of them is left out.

    Raises ResultsMissing if it is not judged.
    """
    kept = [column.name for column in SCHEMAS["scores"].columns if column.name not in ("label", "feedback")]
    for row in _columns(folder, shard, "scores", kept):
        yield Score(**dict(zip(kept, row, strict=True)))


def read_values(
    folder: JobFolder, shard: Shard, trial: int | None = None
) -> Iterator[tuple[int, str, str, str, float | None]]:
    """Yield sample, target, metric, name and value of each score of a judged shard, by trials or of one trial."""
    yield from _columns(folder, shard, "scores", ["sample", "target", "metric", "name", "value"], trial)


def read_details(
    folder: JobFolder, shard: Shard, trial: int | None = None
) -> Iterator[tuple[int, str, str, str | None]]:
    """Yield sample, target, metric and detail of each score of a judged shard, by trials or of one trial."""
    yield from _columns(folder, shard, "scores", ["sample", "target", "metric", "detail"], trial)


def read_texts(folder: JobFolder, shard: Shard, trial: int | None = None) -> Iterator[tuple[int, str, str | None]]:
    """Yield sample, target and text of each output of a generated shard, by trials or of one trial."""
    yield from _columns(folder, shard, "outputs", ["sample", "target", "text"], trial)


def read_responses(folder: JobFolder, shard: Shard) -> Iterator[tuple[str, str]]:
    """Yield target and response of each answered call of a generated shard; none where nothing was asked."""
    file = folder.calls_file("generate", shard)
    table = folder.read_rows(file, "calls", ["target", "response"], shard.samples)
    if table is not None:
        answered = table.filter(table["response"].is_valid())
        yield from zip(answered["target"].to_pylist(), answered["response"].to_pylist(), strict=True)


def read_keys(folder: JobFolder, shard: Shard) -> Iterator[tuple[str, int]]:
    """Yield the task and number of each row of a shard."""
    yield from _columns(folder, shard, "samples", ["task", "sample"])


def read_items(folder: JobFolder, shard: Shard) -> Iterator[str]:
    """Yield the rows of a shard as the JSON texts that they are kept as."""
    yield from (item for (item,) in _columns(folder, shard, "samples", ["item"]))


def _columns(
    folder: JobFolder, shard: Shard, kind: Kind, names: list[str], trial: int | None = None
) -> Iterator[tuple[Any, ...]]:
    file, read = folder.file(kind, shard.index), names if trial is None else [*names, "trial"]
    table = folder.read_rows(file, kind, read, shard.samples)
    if table is None:
        raise missing(file)
    if trial is not None:
        table = of_trial(table, trial)
    yield from zip(*(table[name].to_pylist() for name in names), strict=True)
