"""Scores of two sides together: the family, the pairs that are missing, and what the verdict is about."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.comparison import Excluded, ScoreComparison, ScoredPairs, compare_scores
from core.stats.interval import SHARE, ScoreScale
from core.stats.noise import NoiseFloor


def pairs(metric: str, up: int, down: int, n: int, **fields: object) -> ScoredPairs:
    sides = [(0.0, 1.0)] * up + [(1.0, 0.0)] * down + [(1.0, 1.0)] * (n - up - down)
    made = ScoredPairs("qa", metric, "s", [[a] for a, _ in sides], [[b] for _, b in sides], SHARE)
    return replace(made, **fields)  # type: ignore[arg-type]  # the fields of a test


def test_scores_that_decide_together_are_one_family() -> None:
    # The vector family-four-metrics: Holm over .00366, .0640, .824, .0784.
    asked = [pairs("a", 31, 12, 220), pairs("b", 40, 25, 220), pairs("c", 10, 9, 1200), pairs("d", 14, 6, 220)]
    found = compare_scores(asked)
    assert [each.verdict.word if each.verdict else None for each in found] == [
        *("better", "inconclusive", "equivalent", "inconclusive")
    ]
    assert found[1].p_adjusted == pytest.approx(0.19205251241167692)
    alone = compare_scores(asked, primary=["a"])
    assert alone[0].p_adjusted == pytest.approx(0.003657766827927844)
    assert [each.verdict for each in alone[1:]] == [None, None, None]
    assert alone[1].p_adjusted == pytest.approx(0.06401750413722564)


def test_what_one_side_has_no_score_for_is_counted_and_bounded() -> None:
    baseline = [[1.0], [], [0.0], [], [1.0]]
    candidate = [[1.0], [1.0], [], [], [0.0]]
    [found] = compare_scores([ScoredPairs("qa", "m", "s", baseline, candidate, SHARE)])
    assert found.excluded == Excluded(baseline_only=1, candidate_only=1, neither=1)
    assert found.means == (1.0, 0.5)
    # Over all five: -1 for sure; the three others at their worst 0, 0 and -1, at their best 1, 1 and 1.
    assert found.bounds == (-2 / 5, 2 / 5)
    assert found.difference is not None
    assert found.difference.n == 2


def test_failures_on_one_side_alone_are_told() -> None:
    made = pairs("m", 3, 2, 60)
    [even, uneven] = compare_scores([made, replace(made, candidate=[[]] * 8 + list(made.candidate[8:]))])
    assert even.remarks == ()
    assert uneven.remarks == ("unequal_failures",)


def test_trials_are_worth_their_mean() -> None:
    made = ScoredPairs("qa", "m", "s", [[0.0, 1.0], [1.0]], [[1.0, 1.0], [1.0, 0.0, 0.0]], SHARE)
    [found] = compare_scores([made])
    assert found.difference is not None
    assert found.difference.value == pytest.approx((0.5 - 2 / 3) / 2)
    assert found.difference.interval.method == "exact"  # no longer checks that pass or fail


def test_what_trials_tell_of_chance_stands_beside_the_difference() -> None:
    """By hand: of the baseline within is (1/2 + 0) / 2, and the mean moves by sqrt(2 * 1/2 + 0) / 4 = 1/4.

    The candidate was asked once: by sqrt(1/4 / 2). Of the two samples with two trials those of one differ.
    """
    made = ScoredPairs("qa", "m", "s", [[0.0, 1.0], [1.0, 1.0]], [[1.0], [1.0]], SHARE)
    [found] = compare_scores([made])
    assert found.noise is not None
    assert found.noise.difference == pytest.approx(1.96 * (1 / 16 + 1 / 8) ** 0.5)
    assert found.noise.flip_rate == 0.5
    assert found.remarks == ("within_noise",)
    assert compare_scores([pairs("m", 1, 1, 3)])[0].noise is None
    [told] = compare_scores([pairs("m", 9, 1, 30, noise=NoiseFloor(0.2, 0.1, "job-1"))])
    assert told.noise is not None
    assert (told.noise.expected(30), told.remarks) == (1.5, ())
    [graded] = compare_scores([replace(made, baseline=[[0.5, 1.0], [1.0, 1.0]])])
    assert graded.noise is not None
    assert graded.noise.difference == pytest.approx(1.96 * (1 / 64 + 1 / 32) ** 0.5)
    assert graded.noise.flip_rate is None


def test_without_a_common_sample_there_is_no_verdict_but_a_reason() -> None:
    [found] = compare_scores([ScoredPairs("qa", "m", "s", [], [], SHARE)])
    assert found.verdict is not None
    assert found.verdict.reasons == ("no_common_samples",)
    assert (found.means, found.bounds, found.samples_needed) == (None, None, None)


def test_what_weighs_nothing_does_not_count() -> None:
    made = pairs("m", 1, 1, 3, weights=[3.0, 1.0, 0.0])
    [found] = compare_scores([made])
    assert found.difference is not None
    assert (found.difference.n, found.difference.value) == (2, 0.5)
    assert found.means == (0.25, 0.75)


@settings(max_examples=30)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 40), st.randoms(use_true_random=False))
def test_the_order_of_samples_changes_no_bit_and_the_sides_are_mirrored(
    up: int, down: int, same: int, chance: random.Random
) -> None:
    made = pairs("m", up, down, up + down + same)
    order = chance.sample(range(len(made.baseline)), len(made.baseline))
    shuffled = replace(
        made, baseline=[made.baseline[at] for at in order], candidate=[made.candidate[at] for at in order]
    )
    [there], [again] = compare_scores([made]), compare_scores([shuffled])
    assert replace(there, about=made) == replace(again, about=made)
    [back] = compare_scores([replace(made, baseline=made.candidate, candidate=made.baseline)])
    assert (there.p_adjusted, there.samples_needed) == (back.p_adjusted, back.samples_needed)
    mirrored = {"better": "worse", "worse": "better"}
    assert there.verdict is not None
    assert back.verdict is not None
    assert there.verdict.word == mirrored.get(back.verdict.word, back.verdict.word)


values = st.sampled_from([0.0, 1.0]) | st.floats(0, 1)
trials = st.lists(values, max_size=3)
samples = st.lists(
    st.tuples(trials, trials, st.integers(0, 6), st.sampled_from([0.0, 0.5, 1.0, 3.0])), min_size=1, max_size=30
)


@settings(max_examples=60)
@given(
    samples,
    st.sampled_from([SHARE, None]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_whatever_the_samples_are_their_order_changes_no_bit_and_exchanging_the_sides_mirrors_all(
    rows: list[tuple[list[float], list[float], int, float]],
    scale: ScoreScale | None,
    clustered: bool,
    weighted: bool,
    lower: bool,
    chance: random.Random,
) -> None:
    def score(rows: list[tuple[list[float], list[float], int, float]]) -> ScoreComparison:
        made = ScoredPairs(
            *("qa", "m", "s", [row[0] for row in rows], [row[1] for row in rows], scale),
            lower_is_better=lower,
            clusters=[row[2] for row in rows] if clustered else None,
            weights=[row[3] for row in rows] if weighted else None,
            noise=NoiseFloor(0.1, 0.2, "job-1"),
        )
        return compare_scores([made], margin=0.1)[0]

    def mirrored(low: float | None, high: float | None) -> tuple[float | None, float | None]:
        return None if high is None else -high, None if low is None else -low

    there, back = score(rows), score([(b, a, cluster, weight) for a, b, cluster, weight in rows])
    assert replace(score(chance.sample(rows, len(rows))), about=there.about) == there
    for name in ("p_adjusted", "p_equivalence_adjusted", "margin", "noise", "samples_needed", "remarks"):
        assert getattr(there, name) == getattr(back, name)
    assert there.excluded == Excluded(back.excluded.candidate_only, back.excluded.baseline_only, back.excluded.neither)
    assert there.means == (back.means and back.means[::-1])
    if there.bounds and back.bounds:
        assert there.bounds == mirrored(*back.bounds)
        assert there.bounds[0] <= there.bounds[1]
    assert there.verdict is not None
    assert back.verdict is not None
    turned = {"better": "worse", "worse": "better"}.get(back.verdict.word, back.verdict.word)
    assert (there.verdict.word, there.verdict.reasons) == (turned, back.verdict.reasons)
    if there.difference and back.difference:
        one, other = there.difference, back.difference
        assert one.value == -other.value
        for mine, theirs in ((one.interval, other.interval), (one.inner, other.inner)):
            assert (mine.low, mine.high) == mirrored(theirs.low, theirs.high)
        assert (one.up, one.down, one.same, one.detectable) == (other.down, other.up, other.same, other.detectable)
