"""What a figure is where there is little to go by, and how often intervals are right."""

from math import comb, sqrt

import pytest

from core.stats.cautions import skewness
from core.stats.difference import Difference, Pairs, compared
from core.stats.distributions import beta_cdf, binomial_cdf, normal_cdf, t_cdf, t_quantile, upper_limit
from core.stats.interval import SHARE, Interval, ScoreScale
from core.stats.mean import estimated_mean
from core.stats.power import detectable
from core.stats.proportion import wilson
from core.stats.repeats import spread
from core.stats.tango import mcnemar
from core.stats.units import Rows
from core.stats.verdict import Unpaired, verdict
from tests.core.stats.exact import clopper_pearson


def interval(rows: Rows, scale: ScoreScale | None = SHARE) -> Interval:
    return estimated_mean(rows, scale).interval


def difference(baseline: list[float], candidate: list[float], scale: ScoreScale | None = SHARE) -> Difference:
    found = compared(Pairs(baseline, candidate), scale, margin=0.02)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("n", "shares"),
    [
        (30, {0.02: 97.8, 0.5: 95.7, 0.9: 97.4}),
        (100, {0.02: 94.9, 0.5: 94.3, 0.9: 93.6}),
        (1000, {0.02: 94.7, 0.5: 94.6, 0.9: 94.9}),
    ],
)
def test_the_interval_of_checks_covers_the_truth_as_often_as_it_says(n: int, shares: dict[float, float]) -> None:
    """By adding up the chance of each number of passes whose interval has the truth in it."""
    for p, covered in shares.items():
        chance = 0.0
        for passed in range(n + 1):
            mass = comb(n, passed) * p**passed * (1 - p) ** (n - passed) if n < 1000 else exact_mass(n, passed, p)
            low, high = clopper_pearson(passed, n) if passed in (0, n) else wilson(passed, n)
            chance += mass * (low <= p <= high)
        assert round(100 * chance, 1) == covered


def exact_mass(n: int, passed: int, p: float) -> float:
    return binomial_cdf(passed, n, p) - binomial_cdf(passed - 1, n, p)


@pytest.mark.parametrize("passed", [0, 7, 20])
def test_checks_have_wilsons_interval_and_at_the_ends_the_exact_one(passed: int) -> None:
    found = interval(Rows([1.0] * passed + [0.0] * (20 - passed)))
    low, high = clopper_pearson(passed, 20) if passed in (0, 20) else wilson(passed, 20)
    assert found.method == ("exact" if passed in (0, 20) else "wilson")
    assert found.low == pytest.approx(low, abs=1e-15)
    assert found.high == pytest.approx(high, abs=1e-15)


@pytest.mark.parametrize(
    ("rows", "scale", "reason"),
    [
        (Rows([]), SHARE, "nothing_scored"),
        (Rows([0.3]), None, "too_few"),
        (Rows([0.1] * 9), None, "no_variation"),
        (Rows([0.1, 0.2], [0, 0], clustered=True), SHARE, "one_cluster"),
        (Rows([0.1, 0.2], [0, 0], clustered=True), None, "too_few"),
    ],
)
def test_without_an_interval_there_is_a_reason(rows: Rows, scale: ScoreScale | None, reason: str) -> None:
    assert interval(rows, scale) == Interval(None, None, None, reason)  # type: ignore[arg-type]  # a word of the cases


def test_weights_count_as_often_as_they_say() -> None:
    # Mean (0 + 3) / 4; the units' errors are -3/4 and 3/4: variance 2/1 * 2 * 9/16 / 16 = 9/64.
    found = estimated_mean(Rows([0.0, 1.0], weights=[1.0, 3.0]), SHARE)
    assert (found.value, found.standard_error, found.interval.method) == (0.75, 0.375, "score")


def test_what_rounding_put_beyond_the_scale_counts_as_its_end() -> None:
    found = interval(Rows([100.00000000000004] * 3), ScoreScale(0.0, 100.0))
    assert found.method == "exact"
    assert found.high == 100.0


def test_a_cluster_of_one_sample_is_still_a_cluster() -> None:
    values = [1.0, 0.0, 1.0, 1.0]
    assert interval(Rows(values, list("abcd"))).method == "wilson"
    assert interval(Rows(values, list("abcd"), clustered=True)).method == "score"


def test_a_sample_that_was_asked_once_has_the_noise_of_all() -> None:
    # Within: 0.5 over one repeat; of three values 2 * 0.5 + 1 * 0.5 under the root.
    found = spread([[0.0, 1.0], [1.0]])
    assert found.within == 0.5
    assert found.rerun_error == pytest.approx(sqrt(1.5) / 3)
    assert spread([[1.0], [0.0]]).rerun_error is None


def test_a_change_that_is_the_same_everywhere_is_no_certainty() -> None:
    """Student's interval would have no width."""
    found = difference([0.2] * 12, [0.45] * 12)
    assert found.interval.method == "exact"
    assert found.interval.low is not None
    assert found.interval.high is not None
    assert found.interval.low < 0.25 < found.interval.high
    assert found.p_value == mcnemar(12, 0)[1]
    assert found.p_equivalence == 1.0
    small = compared(Pairs([0.5] * 200, [0.51] * 200), SHARE, margin=0.05)
    assert small is not None
    # As many as can say so of a population whose mean is the margin: (1 - 0.05) / (1 - 0.01) of it.
    assert small.p_equivalence == pytest.approx((0.95 / 0.99) ** 200)


def test_few_changes_that_weigh_much_are_not_counted_as_equal_ones() -> None:
    weights = [100.0] + [1.0] * 20
    found = compared(Pairs([0.0] + [1.0] * 20, [1.0] * 21, weights=weights), SHARE, margin=0.02)
    assert found is not None
    assert (found.interval.method, found.value) == ("t", 100 / 120)
    none = compared(Pairs([1.0] * 21, [1.0] * 21, weights=weights), SHARE, margin=0.02)
    assert none is not None
    assert (none.interval.method, none.value, none.p_value) == ("exact", 0.0, 1.0)
    assert none.interval.low is not None
    assert none.interval.low < -0.1


def test_without_a_known_scale_what_never_changes_has_no_interval() -> None:
    found = difference([0.2] * 12, [0.2] * 12, None)
    assert (found.interval.reason, found.p_value, found.p_equivalence) == ("no_variation", None, None)
    assert verdict(found, None, None, margin=0.02).reasons == ("no_interval",)


def test_a_comparison_of_little_or_of_other_things_comes_to_nothing() -> None:
    few = difference([0.0] * 9, [1.0] * 9)
    assert verdict(few, few.p_value, few.p_equivalence, margin=0.02).reasons == ("too_few_pairs",)
    assert verdict(None, None, None, margin=None).reasons == ("no_common_samples",)
    many = difference([0.0] * 40, [1.0] * 40)
    assert verdict(many, many.p_value, None, margin=None, changed=["judge_changed"]).reasons == ("judge_changed",)
    assert verdict(many, many.p_value, None, margin=None).word == "better"


def test_samples_that_were_not_scored_can_turn_an_answer_around() -> None:
    found = difference([0.0] * 20 + [1.0] * 40, [1.0] * 20 + [1.0] * 40)
    for unpaired, word in (
        (Unpaired(0.2, -0.1, 0.4), "inconclusive"),
        (Unpaired(0.2, 0.1, 0.4), "better"),
        (Unpaired(0.04, -0.1, 0.4), "better"),
    ):
        assert verdict(found, found.p_value, None, margin=0.02, unpaired=unpaired).word == word


def test_a_sure_difference_of_no_account_is_said_to_be_negligible() -> None:
    found = compared(Pairs([0.5] * 300, [0.5 + 0.001 * (1 + i % 3) for i in range(300)]), SHARE, margin=0.02)
    assert found is not None
    said = verdict(found, found.p_value, found.p_equivalence, margin=0.02, lower_is_better=True)
    assert (said.word, said.negligible, said.non_inferior) == ("worse", True, True)


def test_graded_scores_are_compared_by_students_test() -> None:
    found = difference([0.1 * i for i in range(10)], [0.1 * i + 0.01 * (i % 4) for i in range(10)])
    assert found.interval.method == "t"
    assert found.standard_error is not None
    assert found.detectable == detectable(found.standard_error, 10)


def test_values_that_hardly_vary_are_as_skewed_as_others() -> None:
    tiny = [0.0] * 9 + [1e-150]
    assert skewness(tiny) == pytest.approx(skewness([0.0] * 9 + [1.0]))
    assert skewness([1.0] * 3) is None


def test_the_distributions_are_right_at_their_ends() -> None:
    assert (binomial_cdf(-1, 5, 0.5), binomial_cdf(5, 5, 0.5), beta_cdf(0.0, 2, 3), beta_cdf(1.0, 2, 3)) == (0, 1, 0, 1)
    assert (t_cdf(float("inf"), 3), t_cdf(float("-inf"), 3), upper_limit(4, 4, 0.025)) == (1.0, 0.0, 1.0)
    assert normal_cdf(-37.0) > 0.0
    assert t_quantile(0.025, 9) == -t_quantile(0.975, 9)
    assert binomial_cdf(50_000, 100_000, 0.5) == pytest.approx(0.5012615631070, abs=1e-9)


def test_the_changes_of_many_pairs_are_tested_as_those_of_few() -> None:
    """The binomial is counted in whole numbers up to 2,000 changes, and computed beyond."""
    by_counting = sum(comb(2100, i) for i in range(1001)) / 2**2100
    exact, mid = mcnemar(1100, 1000)
    assert exact == pytest.approx(2 * by_counting, rel=1e-9)
    assert mid == pytest.approx(2 * by_counting - comb(2100, 1000) / 2**2100, rel=1e-9)
