"""Values in units: the samples or clusters that were drawn, of which each may have several values.

Repeats of a sample and clusters of samples are one formula: the error of a mean comes from the sums of units.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import fsum, sqrt

SAME = 1e-12
"""Up to this share of the scale, values differ by rounding alone."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Values, each of a unit and with a weight; without `units` each is one of its own.

    `clustered` says that a unit is a cluster of samples, not a sample. What weighs nothing should not be among them.
    """

    values: Sequence[float]
    units: Sequence[Hashable] | None = None
    weights: Sequence[float] | None = None
    clustered: bool = False

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self.values)

    def unit_sums(self, values: Sequence[float]) -> list[float]:
        """Return the sum of each unit's values."""
        if self.units is None:
            return list(values)
        by_unit: defaultdict[Hashable, list[float]] = defaultdict(list)
        for unit, value in zip(self.units, values, strict=True):
            by_unit[unit].append(value)
        return [fsum(each) for each in by_unit.values()]

    @property
    def groups(self) -> int:
        """The number of units."""
        return len(self.values) if self.units is None else len(set(self.units))

    @property
    def is_plain(self) -> bool:
        """Whether every value is a sample's only one, and weighs as much as any other."""
        return not self.clustered and self.weights is None and self.groups == len(self.values)

    def weighing(self) -> "Rows":
        """Return the rows that weigh anything: the rest says nothing."""
        if self.weights is None:
            return self
        units = range(len(self)) if self.units is None else self.units
        kept = [each for each in zip(self.values, units, self.weights, strict=True) if each[2] > 0]
        if not kept:
            return Rows([])
        values, own, weights = map(list, zip(*kept, strict=True))
        return Rows(values, own, weights, self.clustered)

    def mean(self) -> float:
        """Return the weighted mean. Raises ZeroDivisionError without any weight."""
        if self.weights is None:
            return fsum(self.values) / len(self.values)
        return fsum(w * x for w, x in zip(self.weights, self.values, strict=True)) / fsum(self.weights)

    def standard_error(self, mean: float) -> float | None:
        """Return the standard error of the mean, by the units; None for fewer than two.

        As `cov_type="cluster"` with `use_correction` in statsmodels: Liang and Zeger 1986. Of one value a unit it is
        s / sqrt(n), with s of ddof 1.
        """
        groups = self.groups
        if groups < 2:
            return None
        errors = [x - mean for x in self.values]
        if self.weights is not None:
            errors = [w * error for w, error in zip(self.weights, errors, strict=True)]
        total = len(self.values) if self.weights is None else fsum(self.weights)
        return sqrt(groups / (groups - 1) * fsum(each * each for each in self.unit_sums(errors))) / total


def mean_of(trials: Sequence[float]) -> float:
    """Return what the trials of a sample are worth on average; there is one at least."""
    return trials[0] if len(trials) == 1 else fsum(trials) / len(trials)


def effective_units(sizes: Sequence[int]) -> float:
    """Return how many units of equal size would say as much: Kish 1965. Range 1..number of units."""
    return sum(sizes) ** 2 / sum(size * size for size in sizes)


def jackknife_error(without: Sequence[float]) -> float | None:
    """Return the standard error of a figure from what it is without each unit: Tukey 1958; None for fewer than two."""
    groups = len(without)
    if groups < 2:
        return None
    mean = fsum(without) / groups
    return sqrt((groups - 1) / groups * fsum((each - mean) ** 2 for each in without))
