"""From a difference and its tests to a word: better, worse, equivalent, or that nobody can tell yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.stats.difference import Difference
from core.stats.interval import Interval
from core.stats.words import Doubt, Word

LEAST_PAIRS: Final = 10
LEAST_CLUSTERS: Final = 5
EXCLUDED: Final = 0.05
"""If more than this share of the matched samples has no pair of scores, what they could have been counts."""


@dataclass(frozen=True, slots=True)
class Unpaired:
    """The share of matched samples that were not scored on both sides, and what the difference could be with them."""

    share: float = 0.0
    worst_case: float | None = None
    best_case: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A word and why; `negligible` if it is sure and of no account, `non_inferior` if it is surely not much worse."""

    word: Word
    reasons: tuple[Doubt, ...] = ()
    negligible: bool = False
    non_inferior: bool = False


def verdict(
    difference: Difference | None,
    p_adjusted: float | None,
    p_equivalence_adjusted: float | None,
    *,
    margin: float | None,
    alpha: float = 0.05,
    lower_is_better: bool = False,
    unpaired: Unpaired = Unpaired(),
    changed: Sequence[Doubt] = (),
) -> Verdict:
    """Return what a difference comes to, its p-values being adjusted for those beside it.

    `changed` says that the sides were not graded alike. Without a `margin` nothing is equivalent.
    """
    if doubts := _doubts(difference, changed):
        return Verdict("inconclusive", doubts)
    assert difference is not None
    interval = difference.interval
    safe = margin is not None and _is_not_inferior(interval, margin, lower_is_better=lower_is_better)
    if p_adjusted is not None and p_adjusted <= alpha and not _reaches(interval, 0.0):
        if _could_reverse(difference.value, unpaired):
            return Verdict("inconclusive", ("excluded_could_reverse",), non_inferior=safe)
        word: Word = "better" if (difference.value > 0) != lower_is_better else "worse"
        return Verdict(word, negligible=margin is not None and _is_inside(interval, margin), non_inferior=safe)
    if margin is not None and _is_equivalent(difference.inner, p_equivalence_adjusted, margin, alpha):
        return Verdict("equivalent", non_inferior=safe)
    return Verdict("inconclusive", ("not_enough_evidence",), non_inferior=safe)


def _doubts(difference: Difference | None, changed: Sequence[Doubt]) -> tuple[Doubt, ...]:
    if difference is None:
        return ("no_common_samples",)
    met: dict[Doubt, bool] = {
        "too_few_pairs": difference.n < LEAST_PAIRS,
        "too_few_clusters": difference.groups < LEAST_CLUSTERS,
        **dict.fromkeys(changed, True),
        "no_interval": difference.interval.method is None,
    }
    return tuple(doubt for doubt, holds in met.items() if holds)


def _is_equivalent(inner: Interval, p_value: float | None, margin: float, alpha: float) -> bool:
    return p_value is not None and p_value <= alpha and _is_inside(inner, margin)


def _could_reverse(value: float, unpaired: Unpaired) -> bool:
    bounds = (unpaired.worst_case, unpaired.best_case)
    return unpaired.share > EXCLUDED and any(bound is not None and bound * value < 0 for bound in bounds)


def _is_inside(interval: Interval, margin: float) -> bool:
    return interval.low is not None and interval.high is not None and -margin < interval.low <= interval.high < margin


def _is_not_inferior(interval: Interval, margin: float, *, lower_is_better: bool) -> bool:
    if interval.low is None or interval.high is None:
        return False
    return interval.high < margin if lower_is_better else interval.low > -margin


def _reaches(interval: Interval, value: float) -> bool:
    return interval.low is None or interval.high is None or interval.low <= value <= interval.high
