"""One side of a comparison: a target's results in a job, as far as they are there."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from core.components import NOT_KNOWN, Component, components_of
from core.errors import InvalidInput, NotFound
from core.plan import Manifest, Shard
from core.spec import EvaluationSpec, RecordedTarget, TaskSpec
from store.results.folder import JobFolder
from store.results.scan import read_details, read_items, read_texts, read_values

Values = Mapping[tuple[str, str], Mapping[int, Sequence[float]]]
"""By metric and name of a score: what each sample's trials were worth, nothing for one that has no value."""


@dataclass(frozen=True)
class Side:
    """The results of a job's `target`, of one `trial` or all; of a job that has not ended, of its first shards."""

    folder: JobFolder
    manifest: Manifest
    target: str
    trial: int | None = None

    @property
    def recorded_columns(self) -> Set[str]:
        """The columns of answers that were recorded: those are what is compared, and no part of the question."""
        recorded = (each for each in self.manifest.spec.targets if isinstance(each, RecordedTarget))
        return {target.column for target in recorded if target.column is not None}

    def components(self, served: Mapping[str, Sequence[str]] = NOT_KNOWN) -> Iterator[Component]:
        """Yield what the results come from, part by part; `served` are the models that answered, by target."""
        return components_of(self.manifest, self.target, trials=self.trials, served=served)

    @property
    def trials(self) -> int:
        """How many trials of each sample are compared."""
        return self.manifest.spec.params.trials if self.trial is None else 1

    @property
    def is_whole(self) -> bool:
        """Whether all shards are finished."""
        return all(self.folder.is_finished("judge", shard) for shard in self.manifest.shards)

    def digest(self, task: TaskSpec) -> str | None:
        """Return the digest of a task's dataset."""
        return next((each.sha256 for each in self.manifest.datasets if each.task == task.name), None)

    def shards(self, task: TaskSpec) -> list[Shard]:
        """Return a task's shards up to the first that is not finished."""
        own = (shard for shard in self.manifest.shards if shard.task == task.name)
        return list(takewhile(lambda shard: self.folder.is_finished("judge", shard), own))

    def samples(self, task: TaskSpec) -> int:
        """Return how many of a task's samples are finished."""
        return sum(map(len, self.shards(task)))

    def rows(self, task: TaskSpec) -> Iterator[dict[str, Any]]:
        """Yield the rows of the samples that are finished."""
        for part in self._parts(task):
            yield from self.folder.read_samples(part)

    def texts(self, task: TaskSpec) -> Iterator[str]:
        """Yield the rows of the samples that are finished as JSON texts."""
        for part in self._parts(task):
            yield from read_items(self.folder, part)

    def items(self, task: TaskSpec, samples: Collection[int]) -> dict[int, dict[str, Any]]:
        """Return the rows of some finished samples."""
        found: dict[int, dict[str, Any]] = {}
        for part in self._parts(task, samples):
            rows = self.folder.read_samples(part)
            found.update((sample, rows[sample - part.start]) for sample in samples if part.start <= sample < part.stop)
        return found

    def values(self, task: TaskSpec) -> Values:
        """Return the scores of the samples that are finished."""
        values: defaultdict[tuple[str, str], dict[int, tuple[float, ...]]] = defaultdict(dict)
        for shard in self.shards(task):
            for sample, target, metric, name, value in read_values(self.folder, shard, self.trial):
                if target == self.target:
                    trials = values[metric, name]
                    trials[sample] = trials.get(sample, ()) + (() if value is None else (value,))
        return values

    def details(self, task: TaskSpec, metric: str) -> dict[int, list[str]]:
        """Return what a metric's scores of the finished samples have for the summary, by their trials."""
        details: defaultdict[int, list[str]] = defaultdict(list)
        for shard in self.shards(task):
            for sample, target, of, detail in read_details(self.folder, shard, self.trial):
                if detail is not None and (target, of) == (self.target, metric):
                    details[sample].append(detail)
        return details

    def outputs(self, task: TaskSpec, samples: Collection[int]) -> dict[int, list[str | None]]:
        """Return the texts of some finished samples, by their trials."""
        texts: dict[int, list[str | None]] = {sample: [] for sample in samples}
        for part in self._parts(task, samples):
            for sample, target, text in read_texts(self.folder, part, self.trial):
                if target == self.target and sample in texts:
                    texts[sample].append(text)
        return texts

    def _parts(self, task: TaskSpec, samples: Collection[int] | None = None) -> Iterator[Shard]:
        """Yield the finished shards in parts, those alone that have any of some samples."""
        for shard in self.shards(task):
            if samples is None or _has_any(shard, samples):
                yield from (part for part in self.folder.parts(shard) if samples is None or _has_any(part, samples))


def _has_any(shard: Shard, samples: Collection[int]) -> bool:
    return any(shard.start <= sample < shard.stop for sample in samples)


def evaluated(spec: EvaluationSpec) -> list[str]:
    """Return the names of the targets that a specification evaluates."""
    return [each.name for each in spec.targets if each.name != spec.reference]


def open_side(folder: JobFolder, target: str | None = None, trial: int | None = None) -> Side:
    """Return a side of a comparison. Raises Conflict before there are results, NotFound for no such target or trial.

    Without a `target` the job must evaluate a single one: raises InvalidInput if it does not.
    """
    manifest = folder.need_manifest()
    spec = manifest.spec
    names = evaluated(spec)
    if target is None and len(names) > 1:
        raise InvalidInput(f"job {folder.job_id} has several targets; name one: {folder.job_id}/{names[0]}")
    if target is not None and target not in names:
        raise NotFound(f"job {folder.job_id} evaluates no target {target!r}; targets: {', '.join(names)}")
    if trial is not None and not 0 <= trial < spec.params.trials:
        raise NotFound(f"job {folder.job_id} has no trial {trial}; its trials: 0 to {spec.params.trials - 1}")
    return Side(folder, manifest, target or names[0], trial)
