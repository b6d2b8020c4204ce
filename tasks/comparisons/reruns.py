"""What an earlier run of the same tells of chance: a job that was made by equal parts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from core.comparison import ScoredPairs
from core.components import Component
from core.errors import ResultsMissing, SchemaMismatch
from core.stats.noise import NoiseFloor, noise_of_pair
from store.results.folder import JobFolder
from tasks.comparisons.pairing import Paired, pair_results
from tasks.comparisons.sides import Side, evaluated

Key = tuple[str, str, str]
"""A task, a metric, and the name of its score."""


def with_noise(sides: tuple[Side, Side], paired: Paired, alike: Mapping[str, Iterable[JobFolder]]) -> Paired:
    """Return the pairs with what earlier runs of either side tell of chance, the larger of both; trials tell it better.

    `alike` are the folders of jobs that may be such runs, by the job that they are like.
    """
    if any(side.trials > 1 for side in sides):
        return paired
    floors: defaultdict[Key, list[NoiseFloor]] = defaultdict(list)
    ids = {side.folder.job_id for side in sides}
    names = ({task.baseline.name: task.name for task in paired.tasks}, {t.candidate.name: t.name for t in paired.tasks})
    for side, tasks in zip(sides, names, strict=True):
        others = (folder for folder in alike.get(side.folder.job_id, ()) if folder.job_id not in ids)
        for task, metric, name, floor in _told(side, others):
            floors[tasks.get(task, ""), metric, name].append(floor)
    found = (floors.get((each.task, each.metric, each.name), ()) for each in paired.scores)
    scores = [
        replace(each, noise=max(own, key=lambda floor: (floor.difference, floor.job or ""), default=None))
        for each, own in zip(paired.scores, found, strict=True)
    ]
    return replace(paired, scores=scores)


def _told(side: Side, folders: Iterable[JobFolder]) -> list[tuple[str, str, str, NoiseFloor]]:
    """Return what the first result tells that was made by the same parts and can be read."""
    own = _parts(side.components())
    for folder in folders:
        with suppress(ResultsMissing, SchemaMismatch):  # the damage of a run that nobody asked about
            if (rerun := _rerun(own, folder)) is not None:
                return list(_floors(side, rerun))
    return []


def _rerun(own: list[Component], folder: JobFolder) -> Side | None:
    """Return the result of a job that was made by the same parts, whatever the release of this service."""
    manifest = folder.read_manifest()
    for target in evaluated(manifest.spec) if manifest is not None else ():
        if manifest is not None and _parts((other := Side(folder, manifest, target)).components()) == own:
            return other
    return None


def _floors(side: Side, rerun: Side) -> Iterator[tuple[str, str, str, NoiseFloor]]:
    for each in pair_results(side, rerun).scores:
        if each.compared:
            yield each.task, each.metric, each.name, _floor(each, rerun.folder.job_id)


def _floor(pairs: ScoredPairs, job: str) -> NoiseFloor:
    if pairs.corpora is not None:
        return NoiseFloor(abs(pairs.corpora.difference), None, job)
    first, second = zip(*pairs.compared.values(), strict=True)
    return noise_of_pair(first, second, pairs.scale, job)


def _parts(components: Iterator[Component]) -> list[Component]:
    return [each for each in components if each.part != "code"]
