"""Two results on the same samples, score by score: which is better, and whether that is more than chance."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import fsum
from typing import Final

from core.stats.adjust import benjamini_hochberg, holm
from core.stats.change import Change
from core.stats.corpora import Corpora, compared_corpora
from core.stats.difference import Difference, Pairs, compared
from core.stats.interval import ScoreScale
from core.stats.noise import NoiseFloor, noise_of_trials
from core.stats.power import samples_needed
from core.stats.tango import mcnemar
from core.stats.units import mean_of
from core.stats.verdict import LEAST_PAIRS, Unpaired, Verdict, verdict
from core.stats.words import Doubt, Remark

Adjust = Callable[[Sequence[float]], list[float]]

DEFAULT_MARGIN: Final = 0.02
"""The part of a scale that is of no account, unless told."""

UNEQUAL: Final = 0.05
"""If failures are as uneven as that by chance so seldom, it is said."""


@dataclass(frozen=True)
class ScoredPairs:
    """One score on both sides: of each matched sample what its trials were worth, nothing where none has a value.

    `doubts` say that the sides were not graded alike, `remarks` what is to be said of their samples, `change` what part
    other samples have in how the mean of all changed, `noise` what earlier runs of the same tell of chance. Values that
    are `choices` between the sides are 1 for the one that was chosen, 0 for the other, 1/2 for a tie.

    A score that samples have `together`, as BLEU, is compared by what those at some places are worth together; what
    each is worth alone is then in `baseline` and `candidate`, and `is_of_each` says if that goes by the same name.
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
    noise: NoiseFloor | None = None
    choices: bool = False
    together: Callable[[Sequence[int]], Corpora] | None = None
    is_of_each: bool = True

    @cached_property
    def means(self) -> tuple[list[float | None], list[float | None]]:
        """What the trials of each matched sample were worth on average, on both sides; None where none has a value."""
        first, second = (
            [mean_of(trials) if trials else None for trials in side] for side in (self.baseline, self.candidate)
        )
        return first, second

    @cached_property
    def compared(self) -> dict[int, tuple[float, float]]:
        """Both sides' means of the samples that are compared, by their places: they are scored, and weigh something."""
        found = {
            at: (a, b) for at, (a, b) in enumerate(zip(*self.means, strict=True)) if a is not None and b is not None
        }
        if self.weights is None:
            return found
        return {at: values for at, values in found.items() if self.weights[at]}

    @cached_property
    def corpora(self) -> Corpora | None:
        """What the samples that are compared are worth together, if the score is of that kind; None without any."""
        return self.together(list(self.compared)) if self.together and self.compared else None

    def part(self, places: Sequence[int]) -> "ScoredPairs":
        """Return the same score on some of the matched samples."""
        together = self.together
        return replace(
            self,
            baseline=[self.baseline[at] for at in places],
            candidate=[self.candidate[at] for at in places],
            clusters=None if self.clusters is None else [self.clusters[at] for at in places],
            weights=None if self.weights is None else [self.weights[at] for at in places],
            together=together and (lambda own: together([places[at] for at in own])),
            change=None,
            noise=None,
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
    noise: NoiseFloor | None
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
    return [
        _comparison(
            about,
            difference,
            margin=own,
            primary=is_primary,
            p_adjusted=p_adjusted,
            p_equivalence=p_equivalence,
            alpha=alpha,
        )
        for about, difference, own, is_primary, p_adjusted, p_equivalence in zip(
            scores, differences, margins, family, adjusted, equal, strict=True
        )
    ]


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
    *,
    margin: float | None,
    primary: bool,
    p_adjusted: float | None,
    p_equivalence: float | None,
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
    noise = _noise(about)
    deviation = difference.deviation if difference else None
    return ScoreComparison(
        about=about,
        difference=difference,
        excluded=excluded,
        means=_means(about),
        bounds=bounds,
        margin=margin,
        primary=primary,
        p_adjusted=p_adjusted,
        p_equivalence_adjusted=p_equivalence,
        verdict=said,
        samples_needed=samples_needed(deviation, margin, alpha=alpha) if deviation and margin else None,
        noise=noise,
        remarks=(*about.remarks, *_remarks(about, excluded, difference, said, noise)),
    )


def _remarks(
    about: ScoredPairs,
    excluded: Excluded,
    difference: Difference | None,
    said: Verdict | None,
    noise: NoiseFloor | None,
) -> Iterator[Remark]:
    """Yield what is to be said of a score besides what is to be said of its samples."""
    if not about.is_of_each:
        yield "together"
    if mcnemar(excluded.baseline_only, excluded.candidate_only)[1] <= UNEQUAL:
        yield "unequal_failures"
    if said is not None and said.negligible:
        yield "negligible"
    if noise is not None and difference is not None and abs(difference.value) <= noise.difference:
        yield "within_noise"


def _difference(about: ScoredPairs, margin: float | None, alpha: float) -> Difference | None:
    kept = about.compared
    pairs = Pairs(
        [a for a, _ in kept.values()],
        [b for _, b in kept.values()],
        None if about.clusters is None else [about.clusters[at] for at in kept],
        None if about.weights is None else [about.weights[at] for at in kept],
        clustered=about.clusters is not None,
        choices=about.choices,
        single=all(len(about.baseline[at]) == len(about.candidate[at]) == 1 for at in kept),
    )
    if about.corpora is not None:
        return compared_corpora(about.corpora, pairs.changes.values, about.scale, margin=margin, alpha=alpha)
    return compared(pairs, about.scale, margin=margin, alpha=alpha)


def _noise(about: ScoredPairs) -> NoiseFloor | None:
    """Return what a rerun alone may make of the score: as the trials tell, or earlier runs."""
    kept = about.compared
    if not kept or about.together:
        return about.noise if kept else None
    first, second = ([side[at] for at in kept] for side in (about.baseline, about.candidate))
    return noise_of_trials(first, second, about.scale) or about.noise


def _means(about: ScoredPairs) -> tuple[float, float] | None:
    """Return both sides' means over the pairs, or what those are worth together."""
    kept = about.compared
    if not kept:
        return None
    if about.corpora is not None:
        return about.corpora.baseline, about.corpora.candidate
    own = None if about.weights is None else [about.weights[at] for at in kept]
    return _average([a for a, _ in kept.values()], own), _average([b for _, b in kept.values()], own)


def _bounds(about: ScoredPairs) -> tuple[float, float] | None:
    """Return the difference over all matched samples if what was not scored made it least, or greatest."""
    matched = len(about.baseline)
    if about.scale is None or about.together or not (matched if about.weights is None else fsum(about.weights)):
        return None
    return _extreme(about, *about.scale), _extreme(about, about.scale.high, about.scale.low)


def _extreme(about: ScoredPairs, candidate: float, baseline: float) -> float:
    """Return the difference over all matched samples if what was not scored had these values."""
    changes = [
        (candidate if b is None else b) - (baseline if a is None else a) for a, b in zip(*about.means, strict=True)
    ]
    return _average(changes, about.weights)


def _excluded(about: ScoredPairs) -> Excluded:
    ends = Counter((bool(a), bool(b)) for a, b in zip(about.baseline, about.candidate, strict=True))
    return Excluded(ends[True, False], ends[False, True], ends[False, False])


def _adjusted(p_values: Sequence[float | None], family: Sequence[bool], adjust: Adjust) -> list[float | None]:
    """Adjust the p-values of a family; those of others stay as they are."""
    adjusted = list(p_values)
    known = [(at, p) for at, p in enumerate(p_values) if p is not None and family[at]]
    for (at, _), p in zip(known, adjust([p for _, p in known]), strict=True):
        adjusted[at] = p
    return adjusted


def _margin(scale: ScoreScale | None) -> float | None:
    return DEFAULT_MARGIN * scale.width if scale else None


def _average(values: Sequence[float], weights: Sequence[float] | None) -> float:
    if weights is None:
        return fsum(values) / len(values)
    return fsum(weight * value for weight, value in zip(weights, values, strict=True)) / fsum(weights)
