"""What holds of figures whatever the values are."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from core.stats.adjust import benjamini_hochberg, holm
from core.stats.difference import Pairs, compared
from core.stats.interval import ScoreScale
from core.stats.mean import estimated_mean, missing_bounds
from core.stats.units import Rows, effective_units
from core.stats.verdict import verdict

GRADES = ScoreScale(1.0, 5.0)
MARGIN = 0.1
MIRRORED = {"better": "worse", "worse": "better"}

graded = st.integers(1, 5).map(float) | st.floats(1, 5)
ends = st.sampled_from([1.0, 5.0])
values = st.lists(ends, min_size=1, max_size=30) | st.lists(graded, min_size=1, max_size=30)
pairs = st.lists(st.tuples(graded, graded), min_size=1, max_size=30) | st.lists(
    st.tuples(ends, ends), min_size=1, max_size=30
)
scales = st.sampled_from([GRADES, None])
p_values = st.lists(st.floats(0, 1), max_size=12)


def word(baseline: list[float], candidate: list[float], scale: ScoreScale | None) -> str:
    found = compared(Pairs(baseline, candidate), scale, margin=MARGIN)
    assert found is not None
    return verdict(found, found.p_value, found.p_equivalence, margin=MARGIN).word


@settings(max_examples=40)
@given(pairs, scales)
def test_exchanging_the_sides_mirrors_everything(both: list[tuple[float, float]], scale: ScoreScale | None) -> None:
    first, second = map(list, zip(*both, strict=True))
    there, back = (compared(Pairs(*sides), scale, margin=MARGIN) for sides in ((first, second), (second, first)))
    assert there is not None
    assert back is not None
    assert (there.value, there.up, there.down) == (-back.value, back.down, back.up)
    for one, other in ((there.interval, back.interval), (there.inner, back.inner)):
        mirrored = (None, None) if other.low is None or other.high is None else (-other.high, -other.low)
        assert (one.method, (one.low, one.high)) == (other.method, mirrored)
    assert (there.p_value, there.p_equivalence) == (back.p_value, back.p_equivalence)
    assert (there.standard_error, there.detectable) == (back.standard_error, back.detectable)
    said = word(second, first, scale)
    assert word(first, second, scale) == MIRRORED.get(said, said)


@settings(max_examples=40)
@given(pairs, scales, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_bit(
    both: list[tuple[float, float]], scale: ScoreScale | None, chance: random.Random
) -> None:
    rows = [(a, b, chance.randrange(5), chance.choice([0.5, 1.0, 3.0])) for a, b in both]
    shuffled = chance.sample(rows, len(rows))
    for weighted in (False, True):
        found = []
        for each in (rows, shuffled):
            first, second, units, weights = map(list, zip(*each, strict=True))
            about = (units, weights if weighted else None, True)
            found.append(
                (estimated_mean(Rows(first, *about), scale), compared(Pairs(first, second, *about), scale, margin=0.1))
            )
        assert found[0] == found[1]


@settings(max_examples=40)
@given(pairs, scales, st.integers(1, 30), graded)
def test_samples_that_both_sides_score_alike_never_turn_worse_into_better(
    both: list[tuple[float, float]], scale: ScoreScale | None, more: int, value: float
) -> None:
    first, second = map(list, zip(*both, strict=True))
    before, after = word(first, second, scale), word(first + [value] * more, second + [value] * more, scale)
    assert {before, after} != {"better", "worse"}


@settings(max_examples=40)
@given(values, scales, st.integers(0, 20))
def test_bounds_and_intervals_contain_the_mean(found: list[float], scale: ScoreScale | None, excluded: int) -> None:
    estimate = estimated_mean(Rows(found), scale)
    assert estimate.value is not None
    low, high = missing_bounds(sum(found), len(found), excluded, GRADES)
    if excluded == 0:
        assert abs(low - estimate.value) < 1e-12
    assert low - 1e-12 <= (sum(found) + excluded * estimate.value) / (len(found) + excluded) <= high + 1e-12
    interval = estimate.interval
    if interval.method is None:
        assert interval.reason in ("too_few", "no_variation")
    else:
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low - 1e-12 <= estimate.value <= interval.high + 1e-12
        assert interval.low < interval.high
        assert scale is None or GRADES.low <= interval.low < interval.high <= GRADES.high


@settings(max_examples=40)
@given(values, st.integers(2, 5))
def test_a_sample_that_is_asked_again_and_says_the_same_adds_no_certainty(found: list[float], times: int) -> None:
    once = estimated_mean(Rows(found), GRADES)
    again = estimated_mean(Rows(found * times, list(range(len(found))) * times), GRADES)
    assert again.groups == once.groups
    assert again.value is not None
    assert once.value is not None
    assert abs(again.value - once.value) < 1e-12
    assert abs((again.standard_error or 0) - (once.standard_error or 0)) < 1e-12


@settings(max_examples=40)
@given(values, st.sampled_from([0.25, 2.0, 8.0]))
def test_what_all_samples_weigh_together_does_not_matter(found: list[float], weight: float) -> None:
    plain = estimated_mean(Rows(found), None)
    weighed = estimated_mean(Rows(found, weights=[weight] * len(found)), None)
    assert weighed == plain  # powers of two: no bit is rounded


@settings(max_examples=40)
@given(p_values, st.data())
def test_holm_keeps_the_order_of_p_values(found: list[float], data: st.DataObject) -> None:
    adjusted = holm(found)
    assert all(p <= q <= 1 for p, q in zip(found, adjusted, strict=True))
    order = sorted(range(len(found)), key=found.__getitem__)
    assert [adjusted[at] for at in order] == sorted(adjusted)
    if found:
        at = data.draw(st.integers(0, len(found) - 1))
        raised = [*found[:at], data.draw(st.floats(found[at], 1)), *found[at + 1 :]]
        assert all(p <= q for p, q in zip(adjusted, holm(raised), strict=True))
    assert all(p <= q + 1e-15 for p, q in zip(benjamini_hochberg(found), adjusted, strict=True))


@settings(max_examples=40)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_units_of_equal_size_count_whole_and_others_less(sizes: list[int]) -> None:
    assert 1 - 1e-9 <= effective_units(sizes) <= len(sizes) + 1e-9
    assert (abs(effective_units(sizes) - len(sizes)) < 1e-9) == (len(set(sizes)) == 1)
