"""The difference of two corpora: of a figure that all samples have together, as BLEU has, by the jackknife."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from core.stats.difference import FEW, Difference, Measured, Test, difference_by, even_test, few_test, t_test
from core.stats.interval import ScoreScale
from core.stats.tango import Changes
from core.stats.units import SAME, jackknife_error


@dataclass(frozen=True, slots=True)
class Corpora:
    """What both sides' samples are worth together.

    `without` is the candidate's less the baseline's where a unit is left out of both, for each unit in turn; `changed`
    says of each whether there is anything of it in which the sides differ.
    """

    baseline: float
    candidate: float
    without: Sequence[float]
    changed: Sequence[bool]

    @property
    def difference(self) -> float:
        """The candidate's less the baseline's."""
        return self.candidate - self.baseline


def compared_corpora(
    corpora: Corpora,
    changes: Sequence[float],
    scale: ScoreScale | None,
    *,
    margin: float | None = None,
    alpha: float = 0.05,
) -> Difference:
    """Return the difference of two corpora by the first test that fits; the `changes` of single samples are counted.

    Its deviation is that of single samples whose mean has the same standard error.
    """
    error, groups = jackknife_error(corpora.without), len(corpora.without)
    deviation = None if error is None else error * sqrt(len(changes))
    measured = Measured(corpora.difference, error, groups, deviation, error)
    return difference_by(_test(corpora, measured, scale), measured, changes, margin=margin, alpha=alpha)


def _test(corpora: Corpora, measured: Measured, scale: ScoreScale | None) -> Test:
    value, error, groups = measured.value, measured.standard_error, measured.groups
    size = max(abs(corpora.baseline), abs(corpora.candidate))
    if scale is None:
        return t_test(value, error, groups, size)
    if sum(corpora.changed) < FEW:
        pulls = [value - rest for rest, own in zip(corpora.without, corpora.changed, strict=True) if own]
        return few_test(Changes(sum(x > 0 for x in pulls), sum(x < 0 for x in pulls), groups), scale.width)
    if error is not None and error <= SAME * scale.width:
        return even_test(value, groups, scale.width)
    return t_test(value, error, groups, size)
