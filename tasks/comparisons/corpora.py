"""What the common samples of two results are worth together: their BLEU, from the counts that each adds to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import orjson

from core.comparison import ScoredPairs
from core.metric import Bleu
from core.score_names import CORPUS
from core.stats.change import Change
from core.stats.corpora import Corpora
from tasks.metrics.bleu import BleuCounts, corpus_bleu, share_of
from tasks.metrics.bleu_jackknife import paired_bleu

Details = Mapping[int, Sequence[str]]
"""The counts of each sample's trials, as they are stored with its scores."""

Counts = Mapping[int, Sequence[BleuCounts]]


def corpus_pairs(
    alone: ScoredPairs,
    metric: Bleu,
    pairs: Sequence[tuple[int, int]],
    sides: tuple[Details, Details],
    before: Details | None = None,
) -> ScoredPairs:
    """Return the score that matched samples have together, given the one that each has `alone`.

    Of a baseline that was scored again, `before` is what it had. Each sample counts once, as in the summary, whatever
    its weight.
    """
    baseline, candidate = (_counts(details) for details in sides)
    first = [baseline.get(a, ()) for a, _ in pairs]
    second = [candidate.get(b, ()) for _, b in pairs]
    units = range(len(pairs)) if alone.clusters is None else alone.clusters
    share = share_of(metric)

    def together(places: Sequence[int]) -> Corpora:
        return paired_bleu(
            [units[at] for at in places], [first[at] for at in places], [second[at] for at in places], share
        )

    return replace(
        alone,
        name=metric.score or CORPUS,
        weights=None,
        change=_change(baseline, candidate, pairs, None if before is None else _counts(before), share),
        together=together,
        is_of_each=metric.score is not None,
    )


def _change(
    baseline: Counts, candidate: Counts, pairs: Sequence[tuple[int, int]], before: Counts | None, share: float
) -> Change:
    """Part the change of the corpora of all that each side has scored, by which samples both have."""
    common = [(a, b) for a, b in pairs if a in baseline and b in candidate]
    counts = len(common), len(baseline) - len(common), len(candidate) - len(common)
    if not common:
        return Change(*counts, None, None, None)
    whole = share * (_bleu(candidate.values()) - _bleu(baseline.values()))
    paired = share * (_bleu(candidate[b] for _, b in common) - _bleu(baseline[a] for a, _ in common))
    rescored = share * (_bleu(baseline.values()) - _bleu(before.values())) if before else None
    return Change(*counts, whole + (rescored or 0.0), paired, whole - paired, rescored)


def _bleu(samples: Iterable[Sequence[BleuCounts]]) -> float:
    return corpus_bleu(row for trials in samples for row in trials)


def _counts(details: Details) -> Counts:
    return {sample: [BleuCounts(**orjson.loads(each)) for each in trials] for sample, trials in details.items()}
