"""Outputs that are there, scored once more by another definition of their metric; no model is asked."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from core.metric import ComputedMetric
from core.spec import TaskSpec
from tasks.comparisons.sides import Side
from tasks.endpoint.breaker import Unwatched
from tasks.metrics.computed import computed_scores
from tasks.metrics.subject import subjects
from tasks.responses import responses_of

MOST_RESCORED: Final = 20_000
"""More samples take longer than one waits for an answer; their metrics are then just other metrics."""


class Rescored(NamedTuple):
    """What each sample's trials are worth by the names of the scores, and what they have for the summary."""

    values: Mapping[str, Mapping[int, Sequence[float]]]
    details: Mapping[int, Sequence[str]]


def rescored(side: Side, task: TaskSpec, metric: ComputedMetric) -> Rescored | None:
    """Return the scores by another definition; None if there are too many samples."""
    if side.samples(task) > MOST_RESCORED:
        return None
    values: dict[str, dict[int, tuple[float, ...]]] = {name: {} for name in metric.scores}
    details: defaultdict[int, list[str]] = defaultdict(list)
    reference = side.manifest.spec.reference
    for part in (part for shard in side.shards(task) for part in side.folder.parts(shard)):
        outputs = [
            each
            for each in side.folder.read_outputs(part) or ()
            if each.target == reference or (each.target == side.target and side.trial in (None, each.trial))
        ]
        rows, responses = side.folder.read_samples(part), responses_of(side.folder, part)
        about = list(subjects(metric, outputs, rows, part.start, reference=reference, responses=responses))
        for score in computed_scores(metric, about, Unwatched()):
            trials = values[score.name].get(score.sample, ())
            values[score.name][score.sample] = trials if score.value is None else (*trials, score.value)
            if score.detail is not None:
                details[score.sample].append(score.detail)
    return Rescored(values, details)
