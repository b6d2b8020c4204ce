"""The frozen plan of a job: its specification, its shards, and what its datasets were.

Resolve writes it once as `manifest.json`; every later stage and every restart reads only that.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from core.endpoint import Frozen
from core.spec import EvaluationSpec

MANIFEST_VERSION: Final = 1
"""Of the plan alone: the specification in it has a version of its own."""

MAX_TASK_RUNS = 180
SHARD_BYTES = 32_000_000
"""What the rows of a shard may have together, unless it is a single row."""


class Shard(Frozen):
    """Samples `start` (inclusive) to `stop` (exclusive) of a task: the unit of a Prefect task."""

    index: int
    task: str
    start: int
    stop: int

    def __len__(self) -> int:
        """Return the number of samples."""
        return self.stop - self.start

    @property
    def samples(self) -> range:
        """The numbers of the samples."""
        return range(self.start, self.stop)


class DatasetDigest(Frozen):
    """What a task's dataset was: the sha256 of its rows as read, and their number."""

    task: str
    sha256: str
    rows: int


class Manifest(Frozen):
    """All that a job's later stages need to know; no secrets.

    `notes` are added as the job is carried out: what was not done to the letter. In how many `blocks` that is done,
    each by an engine of its own, is settled as it begins.
    """

    job_id: str
    schema_version: int = MANIFEST_VERSION
    code_version: str
    spec: EvaluationSpec
    shards: tuple[Shard, ...]
    datasets: tuple[DatasetDigest, ...]
    notes: tuple[str, ...] = ()
    blocks: int | None = None

    @property
    def cut(self) -> tuple[tuple[Shard, ...], ...]:
        """The shards of each block."""
        return cut_blocks(self.shards, self.blocks or 1)


def shard_size(samples: int, stages: int, trials: int = 1) -> int:
    """Return how many samples, each with its `trials`, make a shard of a job of `samples` that passes `stages` stages.

    Small enough that a job shows its parts, large enough that it stays below `MAX_TASK_RUNS`.
    """
    least, most = ceil(25 / trials), ceil(500 / trials)
    return max(least, min(ceil(samples / 8), most), ceil(samples * stages / MAX_TASK_RUNS))


def cut_shards(
    samples: Mapping[str, int], stages: int, row_bytes: Mapping[str, Sequence[int]] | None = None, *, trials: int = 1
) -> tuple[Shard, ...]:
    """Cut the samples of each task into shards, numbered through the job; `row_bytes` are the bytes of their rows."""
    size = shard_size(sum(samples.values()), stages, trials)
    spans = ((task, *span) for task, n in samples.items() for span in _spans(n, size, (row_bytes or {}).get(task, ())))
    return tuple(Shard(index=i, task=task, start=a, stop=b) for i, (task, a, b) in enumerate(spans))


def _spans(samples: int, size: int, row_bytes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield spans of `size` samples, or of fewer where their rows are large."""
    if not row_bytes:
        yield from ((start, min(start + size, samples)) for start in range(0, samples, size))
        return
    start = total = 0
    for number, added in enumerate(row_bytes):
        if number - start == size or (number > start and total + added > SHARD_BYTES):
            yield start, number
            start, total = number, 0
        total += added
    yield start, samples


def cut_blocks(shards: Sequence[Shard], count: int) -> tuple[tuple[Shard, ...], ...]:
    """Cut shards into at most so many blocks, each of about as many samples."""
    count = min(count, len(shards)) or 1
    whole, before, blocks = sum(map(len, shards)), 0, [list[Shard]() for _ in range(count)]
    for position, shard in enumerate(shards):
        middle = (2 * before + len(shard)) * count // (2 * whole) if whole else 0
        # Where shards are uneven, those that are left are enough for the blocks that are.
        least, most = count - (len(shards) - position), position
        blocks[max(least, min(middle, most, count - 1))].append(shard)
        before += len(shard)
    return tuple(tuple(block) for block in blocks if block)


@dataclass(frozen=True, slots=True)
class Share:
    """One of `count` parts of a bound, which together are all of it."""

    index: int = 0
    count: int = 1

    def of(self, bound: int) -> int:
        """Return the part; at least 1 where the bound is no less than the parts."""
        return bound * (self.index + 1) // self.count - bound * self.index // self.count


def has_room(in_flight: Iterable[int], parallelism: int, trials: int = 1) -> bool:
    """Whether one more shard is to begin beside those of so many samples that are `in_flight`.

    Without the largest, which may be at its last calls, they are to have twice `parallelism` trials of samples.
    """
    sizes = list(in_flight)
    return (sum(sizes) - max(sizes, default=0)) * trials < 2 * parallelism or not sizes
