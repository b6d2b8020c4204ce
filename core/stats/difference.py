"""The difference of two sides on the same samples: its interval, and the tests against none and against much."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import fsum, pow, sqrt
from typing import Final

from core.stats.distributions import binomial_cdf, t_cdf, upper_limit
from core.stats.interval import Interval, ScoreScale
from core.stats.mean import unscaled_interval
from core.stats.power import detectable
from core.stats.tango import Changes, mcnemar, tango_equivalence, tango_limits
from core.stats.units import SAME, Rows

FEW: Final = 6
"""From so many changed units on the mean of their changes is taken to be normal."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """What both sides scored on each sample that both have scored; `single` says that each is one trial's value.

    `choices` says that each is 1 for the side that was chosen, 0 for the other, 1/2 for a tie.
    """

    baseline: Sequence[float]
    candidate: Sequence[float]
    units: Sequence[object] | None = None
    weights: Sequence[float] | None = None
    clustered: bool = False
    single: bool = True
    choices: bool = False

    @property
    def changes(self) -> Rows:
        """The difference of each pair, candidate less baseline."""
        values = [b - a for a, b in zip(self.baseline, self.candidate, strict=True)]
        return Rows(values, self.units, self.weights, self.clustered)


@dataclass(frozen=True, slots=True)
class Test:
    """How a difference was tested: its interval by level, p-value, and p-value against a margin or more."""

    interval: Callable[[float], Interval]
    p_value: float | None
    p_equivalence: Callable[[float], float] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean difference of `n` pairs, and what is known of it; `up`, `down` and `same` count the pairs.

    `inner` is the interval that has to lie inside the margin for the sides to be equivalent. `deviation` is that of
    single differences; `detectable` the least mean of them that so many pairs show.
    """

    n: int
    groups: int
    value: float
    standard_error: float | None
    interval: Interval
    inner: Interval
    p_value: float | None
    p_equivalence: float | None
    deviation: float | None
    detectable: float | None
    up: int
    down: int
    same: int

    @property
    def effect(self) -> float | None:
        """The difference in standard deviations of single ones (Cohen's d_z); None if they do not vary."""
        return self.value / self.deviation if self.deviation else None


def compared(
    pairs: Pairs, scale: ScoreScale | None, *, margin: float | None = None, alpha: float = 0.05
) -> Difference | None:
    """Return the difference of two sides over their pairs, by the first test that fits; None without a pair.

    All values must be on the scale. Without a `margin` there is no test of equivalence.
    """
    rows = pairs.changes
    if not len(rows):
        return None
    value = rows.mean()
    error = rows.standard_error(value)
    test, tested_error = _tested(pairs, rows, scale, value, error)
    measured = Measured(value, error, rows.groups, _deviation(rows.values), tested_error)
    return difference_by(test, measured, rows.values, margin=margin, alpha=alpha)


@dataclass(frozen=True, slots=True)
class Measured:
    """A difference of two sides, its standard error over `groups` units, and the deviation of single samples.

    The `tested_error` tells what the test can detect.
    """

    value: float
    standard_error: float | None
    groups: int
    deviation: float | None
    tested_error: float | None


def difference_by(
    test: Test, measured: Measured, changes: Sequence[float], *, margin: float | None, alpha: float
) -> Difference:
    """Return what a test says of a difference; the `changes` of single samples are counted."""
    up, down = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
    error = measured.tested_error
    return Difference(
        n=len(changes),
        groups=measured.groups,
        value=measured.value,
        standard_error=measured.standard_error,
        interval=test.interval(1 - alpha),
        inner=test.interval(1 - 2 * alpha),
        p_value=test.p_value,
        p_equivalence=None if margin is None or test.p_equivalence is None else test.p_equivalence(margin),
        deviation=measured.deviation,
        detectable=detectable(error, measured.groups, alpha=alpha) if error else None,
        up=up,
        down=down,
        same=len(changes) - up - down,
    )


def check_test(changes: Changes, width: float = 1.0) -> Test:
    """Return the test of checks that pass or fail: Tango's interval, McNemar's mid-p."""

    def interval(level: float) -> Interval:
        low, high = tango_limits(changes, level)
        return Interval("tango", width * low, width * high)

    return Test(
        interval, mcnemar(changes.up, changes.down)[1], lambda margin: tango_equivalence(changes, margin / width)
    )


def few_test(changes: Changes, width: float = 1.0) -> Test:
    """Return the test of few changes: each may be as large as the scale is wide, and no larger."""

    def interval(level: float) -> Interval:
        tail = (1 - level) / 2
        low, high = (upper_limit(count, changes.n, tail) for count in (changes.down, changes.up))
        return Interval("exact", -width * low, width * high)

    def equivalence(margin: float) -> float:
        return binomial_cdf(max(changes.up, changes.down), changes.n, min(1.0, margin / width))

    return Test(interval, mcnemar(changes.up, changes.down)[1], equivalence)


def even_test(value: float, groups: int, width: float) -> Test:
    """Return the test of a change that is the same in all units: how much of others there may be that was not met."""

    def interval(level: float) -> Interval:
        met = pow((1 - level) / 2, 1.0 / groups)
        return Interval("exact", met * value - (1 - met) * width, met * value + (1 - met) * width)

    def equivalence(margin: float) -> float:
        # What all units say can be so large a share of a population that differs by the margin, and no larger.
        if abs(value) >= margin:
            return 1.0
        return pow(max(0.0, width - margin) / (width - abs(value)), groups)

    return Test(interval, mcnemar(groups, 0)[1] if value else 1.0, equivalence)


def t_test(value: float, error: float | None, groups: int, size: float) -> Test:
    """Return Student's paired test, and two of one side each for equivalence (Schuirmann 1987)."""

    def interval(level: float) -> Interval:
        return unscaled_interval(value, error, groups, size=size, level=level)

    if error is None or error <= SAME * size:
        return Test(interval, None, None)
    df, by = groups - 1, error

    def equivalence(margin: float) -> float:
        return max(t_cdf(-(value + margin) / by, df), t_cdf((value - margin) / by, df))

    return Test(interval, 2 * t_cdf(-abs(value / by), df), equivalence)


def _tested(
    pairs: Pairs, rows: Rows, scale: ScoreScale | None, value: float, error: float | None
) -> tuple[Test, float | None]:
    """Return the first test that fits, and the standard error that tells what it can detect."""
    size = max(map(abs, [*pairs.baseline, *pairs.candidate]))
    if scale is None:
        return t_test(value, error, rows.groups, size), error
    if rows.is_plain and pairs.single and (pairs.choices or scale.are_ends([*pairs.baseline, *pairs.candidate])):
        changes = Changes(sum(x > 0 for x in rows.values), sum(x < 0 for x in rows.values), len(rows))
        return check_test(changes, scale.width), _check_error(changes, scale.width)
    changed = [total for total in rows.unit_sums(rows.values) if abs(total) > SAME * scale.width]
    if len(changed) < FEW and rows.weights is None:
        up = sum(total > 0 for total in changed)
        return few_test(Changes(up, len(changed) - up, rows.groups), scale.width), error
    if error is not None and error <= SAME * scale.width:
        return even_test(value, rows.groups, scale.width), None
    return t_test(value, error, rows.groups, size), error


def _check_error(changes: Changes, width: float) -> float | None:
    up, down, n = changes
    if n < 2:
        return None
    return width * sqrt((up + down - (up - down) ** 2 / n) / (n * (n - 1)))


def _deviation(values: Sequence[float]) -> float | None:
    """Return the standard deviation of single values (ddof 1); None for fewer than two."""
    if len(values) < 2:
        return None
    mean = fsum(values) / len(values)
    return sqrt(fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
