"""The samples that scored worst in a job, for people who look at a few before they look at all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any, NamedTuple

from core.plan import Manifest, Shard
from core.result import Summary
from store.results.folder import JobFolder
from store.results.scan import read_texts, read_values


@dataclass(frozen=True, slots=True)
class BadSample:
    """A sample, what a score gave it, its row, and what the target said; None where nothing could be had."""

    sample: int
    target: str
    value: float
    item: dict[str, Any]
    output: str | None


@dataclass(frozen=True, slots=True)
class Worst:
    """The worst samples by one score of a task, the worst first."""

    task: str
    metric: str
    name: str
    samples: Sequence[BadSample]


class _Place(NamedTuple):
    badness: float
    sample: int
    target: str


def worst_samples(folder: JobFolder, manifest: Manifest, summaries: Sequence[Summary], most: int) -> Worst | None:
    """Return the worst samples by the first score in which samples differ; None if there is none."""
    about = next((each for each in summaries if each.min != each.max), None)
    if about is None:
        return None
    score = (about.task, about.metric, about.name)
    alike = [each for each in summaries if (each.task, each.metric, each.name) == score]
    metrics = (metric for task in manifest.spec.tasks if task.name == about.task for metric in task.metrics)
    sign = -1 if next(each for each in metrics if each.name == about.metric).lower_is_better else 1
    shards = [shard for shard in manifest.shards if shard.task == about.task]
    places = nsmallest(most, _places(folder, shards, about, sign))
    best = max(sign * bound for each in alike for bound in (each.min, each.max) if bound is not None)
    found = [_loaded(folder, shards, each, sign) for each in places if each.badness != best]
    return Worst(*score, found)


def _places(folder: JobFolder, shards: Sequence[Shard], about: Summary, sign: int) -> Iterator[_Place]:
    for shard in shards:
        for sample, target, metric, name, value in read_values(folder, shard):
            if value is not None and (metric, name) == (about.metric, about.name):
                yield _Place(sign * value, sample, target)


def _loaded(folder: JobFolder, shards: Sequence[Shard], place: _Place, sign: int) -> BadSample:
    shard = next(each for each in shards if each.start <= place.sample < each.stop)
    own = shard.model_copy(update={"start": place.sample, "stop": place.sample + 1})
    (item,) = folder.read_samples(own)
    texts = (text for sample, target, text in read_texts(folder, own) if (sample, target) == place[1:])
    return BadSample(place.sample, place.target, sign * place.badness, item, next(texts, None))
