from collections import Counter

import pytest

from bench.cases import (
    CONCURRENCIES,
    LARGE,
    LATENCIES,
    LONGEST_S,
    SIZES,
    SMALL,
    SPREAD,
    STEADY,
    Case,
    Latency,
    goal_cases,
    grid_cases,
)


@pytest.mark.parametrize("latency", LATENCIES.values())
def test_the_grid_has_every_case_once_and_says_which_it_leaves_out(latency: Latency) -> None:
    cases, left_out = grid_cases(latency, SIZES, CONCURRENCIES, (False, True))
    found = Counter(cases + left_out)
    assert len(found) == 2 * (2 * 3 + 1)
    assert set(found.values()) == {1}
    assert all(case.least_s > LONGEST_S for case in left_out)


def test_the_whole_grid_takes_no_more_than_ten_minutes_of_the_endpoint() -> None:
    cases = [
        case for latency in LATENCIES.values() for case in grid_cases(latency, SIZES, CONCURRENCIES, (False, True))[0]
    ]
    assert len(cases) == 38
    assert 2 * sum(case.least_s for case in cases) < 600


def test_large_cases_of_the_goals_are_measured_once_and_last() -> None:
    cases = goal_cases(3)
    assert Counter(cases)[Case(SMALL, judge=True)] == 3
    assert Counter(cases)[Case(LARGE, judge=False)] == 1
    assert cases[-1] == Case(LARGE, judge=True)


def test_a_judge_waits_for_its_sample() -> None:
    assert Case(1, judge=True).least_s == 2 * STEADY.median_s
    assert Case(256, judge=False).least_s == 2 * STEADY.median_s


def test_a_spread_latency_has_the_mean_of_its_distribution() -> None:
    assert SPREAD.mean_s == pytest.approx(0.3399, abs=1e-4)
    assert (STEADY.label, SPREAD.label) == ("50 ms", "log-normal around 300 ms")
