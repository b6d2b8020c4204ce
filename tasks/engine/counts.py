"""How many samples of a job have passed each stage."""

from collections import Counter

from core.job import STAGES, Count, Stage
from core.plan import Manifest, Shard
from store.results.folder import JobFolder


class Counts:
    """What was read of a job's datasets, and what its shards have passed since there is a plan; any thread may add."""

    def __init__(self, folder: JobFolder) -> None:
        """Begin with nothing."""
        self._folder = folder
        self._manifest: Manifest | None = None
        self._read: dict[str, int] = {}
        self._passed: dict[tuple[Stage, Shard], int] = {}

    def begin(self, manifest: Manifest) -> None:
        """Count by a plan from now on, the shards that are finished among them."""
        self._passed = self._finished(manifest)
        self._manifest = manifest

    def read(self, task: str, rows: int) -> None:
        """Take note of how many rows of a task's dataset were read so far."""
        self._read[task] = rows

    def passed(self, stage: Stage, shard: Shard, samples: int) -> None:
        """Take note that so many samples of a shard have passed a stage."""
        self._passed[stage, shard] = samples

    def note_finished(self) -> None:
        """Count what other engines have carried out."""
        if self._manifest is not None:
            self._passed |= self._finished(self._manifest)

    def now(self) -> dict[str, dict[Stage, Count]]:
        """Return how far each stage of each task is; before there is a plan, how many rows were read."""
        if self._manifest is None:
            return {task: dict.fromkeys(STAGES, Count(0, rows)) for task, rows in list(self._read.items())}
        done = Counter[tuple[str, Stage]]()
        for (stage, shard), samples in list(self._passed.items()):
            done[shard.task, stage] += samples
        return {
            digest.task: {stage: Count(done[digest.task, stage], digest.rows) for stage in STAGES}
            for digest in self._manifest.datasets
        }

    def _finished(self, manifest: Manifest) -> dict[tuple[Stage, Shard], int]:
        finished = {stage: self._folder.finished(stage) for stage in STAGES}
        return {
            (stage, shard): len(shard)
            for stage, indices in finished.items()
            for shard in manifest.shards
            if shard.index in indices
        }
