"""Two results on the same samples, score by score: which is better, and whether that is more than chance."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from math import fsum
from typing import Final

from core.stats.adjust import benjamini_hochberg, holm
from core.stats.change import Change
from core.stats.difference import Difference, Pairs, compared
from core.stats.interval import ScoreScale
from core.stats.power import samples_needed
from core.stats.tango import mcnemar
from core.stats.verdict import LEAST_PAIRS, Unpaired, Verdict, verdict
from core.stats.words import Doubt, Remark

Adjust = Callable[[Sequence[float]], list[float]]

DEFAULT_MARGIN: Final = 0.02
"""The part of a scale that is of no account, unless told."""


@dataclass(frozen=True, slots=True)
class ScoredPairs:
    """One score on both sides: of each matched sample what its trials were worth, nothing where none has a value.

    `doubts` say that the sides were not graded alike, `remarks` what is to be said of their samples, `change` what part
    other samples have in how the mean of all changed.
    """

    task: str
    metric: str
    name: str
    baseline: Sequence[Sequence[float]]
    candidate: Sequence[Sequence[float]]
    scale: ScoreScale | None = None
    lower_is_better: bool = False
    clusters: Sequence[Hashable] | None = None
    weights: Sequence[float] | None = None
    doubts: tuple[Doubt, ...] = ()
    remarks: tuple[Remark, ...] = ()
    change: Change | None = None

    @property
    def paired(self) -> list[int]:
        """The places of the samples that are compared: both sides have scored them, and they weigh something."""
        sides = zip(self.baseline, self.candidate, _weights(self), strict=True)
        return [at for at, (a, b, weight) in enumerate(sides) if a and b and weight]

    def values(self, at: int) -> tuple[float, float]:
        """Return what the trials of a compared sample were worth on both sides, on average."""
        return _mean(self.baseline[at]), _mean(self.candidate[at])

    def part(self, places: Sequence[int]) -> "ScoredPairs":
        """Return the same score on some of the matched samples."""
        return replace(
            self,
            baseline=[self.baseline[at] for at in places],
            candidate=[self.candidate[at] for at in places],
            clusters=None if self.clusters is None else [self.clusters[at] for at in places],
            weights=None if self.weights is None else [self.weights[at] for at in places],
            change=None,
        )


@dataclass(frozen=True, slots=True)
class Excluded:
    """How many matched samples were scored on one side alone, or on neither."""

    baseline_only: int
    candidate_only: int
    neither: int


@dataclass(frozen=True, slots=True)
class ScoreComparison:
    """What a score's comparison comes to; without a pair there is no `difference`.

    A score that is not `primary`, where some are, has no verdict: it is shown for what may come of it.
    """

    about: ScoredPairs
    difference: Difference | None
    excluded: Excluded
    means: tuple[float, float] | None
    bounds: tuple[float, float] | None
    margin: float | None
    primary: bool
    p_adjusted: float | None
    p_equivalence_adjusted: float | None
    verdict: Verdict | None
    samples_needed: int | None
    remarks: tuple[Remark, ...]


def compare_scores(
    scores: Sequence[ScoredPairs],
    *,
    margin: float | None = None,
    primary: Sequence[str] = (),
    alpha: float = 0.05,
    adjust: Adjust = holm,
) -> list[ScoreComparison]:
    """Compare scores, those whose metrics are `primary` (all without any) as one family that is adjusted together.

    The `margin` is in the units of each score; without one it is a part of its scale.
    """
    margins = [margin if margin is not None else _margin(each.scale) for each in scores]
    differences = [_difference(each, own, alpha) for each, own in zip(scores, margins, strict=True)]
    family = [not primary or each.metric in primary for each in scores]
    adjusted = _adjusted([each.p_value if each else None for each in differences], family, adjust)
    equal = _adjusted([each.p_equivalence if each else None for each in differences], family, adjust)
    rows = zip(scores, differences, margins, family, adjusted, equal, strict=True)
    return [_comparison(*row, alpha=alpha) for row in rows]


def compare_slices(
    whole: ScoreComparison, slices: Sequence[Sequence[int]], *, margin: float | None = None, alpha: float = 0.05
) -> list[ScoreComparison]:
    """Compare a score on parts of its matched samples, which are a family by Benjamini and Hochberg's procedure.

    That is for looking around. A part with fewer pairs than a verdict takes has none, nor has any of a score that does
    not decide.
    """
    parts = [whole.about.part(places) for places in slices]
    found = compare_scores(parts, margin=margin, alpha=alpha, adjust=benjamini_hochberg)
    return [
        replace(each, primary=whole.primary, verdict=each.verdict if whole.primary and _is_enough(each) else None)
        for each in found
    ]


def _is_enough(part: ScoreComparison) -> bool:
    return part.difference is not None and part.difference.n >= LEAST_PAIRS


def _comparison(
    about: ScoredPairs,
    difference: Difference | None,
    margin: float | None,
    primary: bool,
    p_adjusted: float | None,
    p_equivalence: float | None,
    *,
    alpha: float,
) -> ScoreComparison:
    excluded, bounds = _excluded(about), _bounds(about)
    matched, n = len(about.baseline), difference.n if difference else 0
    unpaired = Unpaired((matched - n) / max(1, matched), *(bounds or (None, None)))
    said = None
    if primary:
        said = verdict(
            difference,
            p_adjusted,
            p_equivalence,
            margin=margin,
            alpha=alpha,
            lower_is_better=about.lower_is_better,
            unpaired=unpaired,
            changed=about.doubts,
        )
    failures = mcnemar(excluded.baseline_only, excluded.candidate_only)[1]
    met: dict[Remark, bool] = {
        "unequal_failures": failures <= alpha,
        "negligible": said is not None and said.negligible,
    }
    deviation = difference.deviation if difference else None
    return ScoreComparison(
        about,
        difference,
        excluded,
        _means(about),
        bounds,
        margin,
        primary,
        p_adjusted,
        p_equivalence,
        said,
        samples_needed(deviation, margin, alpha=alpha) if deviation and margin else None,
        (*about.remarks, *(remark for remark, holds in met.items() if holds)),
    )


def _difference(about: ScoredPairs, margin: float | None, alpha: float) -> Difference | None:
    kept = about.paired
    pairs = Pairs(
        [_mean(about.baseline[at]) for at in kept],
        [_mean(about.candidate[at]) for at in kept],
        None if about.clusters is None else [about.clusters[at] for at in kept],
        None if about.weights is None else [about.weights[at] for at in kept],
        clustered=about.clusters is not None,
        single=all(len(about.baseline[at]) == len(about.candidate[at]) == 1 for at in kept),
    )
    return compared(pairs, about.scale, margin=margin, alpha=alpha)


def _means(about: ScoredPairs) -> tuple[float, float] | None:
    """Return both sides' means over the pairs."""
    kept, weights = about.paired, _weights(about)
    if not kept:
        return None
    baseline, candidate = zip(*map(about.values, kept), strict=True)
    own = [weights[at] for at in kept]
    return _average(baseline, own), _average(candidate, own)


def _bounds(about: ScoredPairs) -> tuple[float, float] | None:
    """Return the difference over all matched samples if what was not scored made it least, or greatest."""
    weights = _weights(about)
    if about.scale is None or not fsum(weights):
        return None
    low, high = about.scale
    sides = list(zip(about.baseline, about.candidate, strict=True))
    least = [(_mean(b) if b else low) - (_mean(a) if a else high) for a, b in sides]
    greatest = [(_mean(b) if b else high) - (_mean(a) if a else low) for a, b in sides]
    return _average(least, weights), _average(greatest, weights)


def _excluded(about: ScoredPairs) -> Excluded:
    ends = [(bool(a), bool(b)) for a, b in zip(about.baseline, about.candidate, strict=True)]
    return Excluded(ends.count((True, False)), ends.count((False, True)), ends.count((False, False)))


def _adjusted(p_values: Sequence[float | None], family: Sequence[bool], adjust: Adjust) -> list[float | None]:
    """Adjust the p-values of a family; those of others stay as they are."""
    adjusted = list(p_values)
    known = [(at, p) for at, p in enumerate(p_values) if p is not None and family[at]]
    for (at, _), p in zip(known, adjust([p for _, p in known]), strict=True):
        adjusted[at] = p
    return adjusted


def _margin(scale: ScoreScale | None) -> float | None:
    return DEFAULT_MARGIN * scale.width if scale else None


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values)


def _weights(about: ScoredPairs) -> Sequence[float]:
    return [1.0] * len(about.baseline) if about.weights is None else about.weights


def _average(values: Sequence[float], weights: Sequence[float]) -> float:
    return fsum(weight * value for weight, value in zip(weights, values, strict=True)) / fsum(weights)
