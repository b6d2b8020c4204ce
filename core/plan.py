"""The frozen plan of a job: its specification, its shards, and what its datasets were.

Resolve writes it once as `manifest.json`; every later stage and every restart reads only that.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Final

from core.endpoint import Frozen
from core.spec import EvaluationSpec

MANIFEST_VERSION: Final = 1
"""Of the plan alone: the specification in it has a version of its own."""

MAX_TASK_RUNS = 180


class Shard(Frozen):
    """Samples `start` (inclusive) to `stop` (exclusive) of a task: the unit of a Prefect task."""

    index: int
    task: str
    start: int
    stop: int

    def __len__(self) -> int:
        """Return the number of samples."""
        return self.stop - self.start


class DatasetDigest(Frozen):
    """What a task's dataset was: the sha256 of its rows as read, and their number."""

    task: str
    sha256: str
    rows: int


class Manifest(Frozen):
    """All that a job's later stages need to know; no secrets."""

    job_id: str
    schema_version: int = MANIFEST_VERSION
    code_version: str
    spec: EvaluationSpec
    shards: tuple[Shard, ...]
    datasets: tuple[DatasetDigest, ...]


def shard_size(samples: int, stages: int) -> int:
    """Return how many samples make a shard of a job of `samples` that passes `stages` stages.

    Small enough that a job shows its parts, large enough that it stays below `MAX_TASK_RUNS`.
    """
    return max(25, min(ceil(samples / 8), 500), ceil(samples * stages / MAX_TASK_RUNS))


def cut_shards(samples: Mapping[str, int], stages: int) -> tuple[Shard, ...]:
    """Cut the samples of each task into shards, numbered through the job."""
    size = shard_size(sum(samples.values()), stages)
    spans = ((task, start, min(start + size, n)) for task, n in samples.items() for start in range(0, n, size))
    return tuple(Shard(index=i, task=task, start=a, stop=b) for i, (task, a, b) in enumerate(spans))


def in_flight(shards: Sequence[Shard], parallelism: int) -> int:
    """Return how many shards must be in flight to hold samples for twice `parallelism` calls."""
    smallest = min((len(shard) for shard in shards), default=1)
    return min(len(shards), ceil(2 * parallelism / smallest) + 1)
