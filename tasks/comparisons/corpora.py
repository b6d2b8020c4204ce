"""What the common samples of two results are worth together: their BLEU, from the counts that each adds to it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.comparison import ScoredPairs
from core.metric import Bleu
from core.score_names import CORPUS
from core.stats.change import Change
from core.stats.corpora import Corpora
from tasks.metrics.bleu import share_of
from tasks.metrics.bleu_jackknife import Counted, bleu_of, counted, paired_bleu

Details = Mapping[int, Sequence[str]]
"""The counts of each sample's trials, as they are stored with its scores."""


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
    baseline, candidate = (counted(details) for details in sides)
    units = range(len(pairs)) if alone.clusters is None else alone.clusters
    share = share_of(metric)

    def together(places: Sequence[int]) -> Corpora:
        first, second = baseline.of(pairs[at][0] for at in places), candidate.of(pairs[at][1] for at in places)
        return paired_bleu([units[at] for at in places], first, second, share)

    return replace(
        alone,
        name=metric.score or CORPUS,
        weights=None,
        change=_change(baseline, candidate, pairs, counted(before) if before else None, share),
        together=together,
        is_of_each=metric.score is not None,
    )


def _change(
    baseline: Counted, candidate: Counted, pairs: Sequence[tuple[int, int]], before: Counted | None, share: float
) -> Change:
    """Part the change of the corpora of all that each side has scored, by which samples both have."""
    common = [(a, b) for a, b in pairs if a in baseline.rows and b in candidate.rows]
    counts = len(common), len(baseline.rows) - len(common), len(candidate.rows) - len(common)
    if not common:
        return Change(*counts, None, None, None)
    first, second = baseline.of(a for a, _ in common), candidate.of(b for _, b in common)
    whole = share * (bleu_of(candidate.table) - bleu_of(baseline.table))
    paired = share * (bleu_of(second) - bleu_of(first))
    rescored = share * (bleu_of(baseline.table) - bleu_of(before.table)) if before else None
    return Change(*counts, whole + (rescored or 0.0), paired, whole - paired, rescored)
