import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.endpoint.limits.rates import Amount, Meter, Meters, Share, share_of


def meters(requests: float = math.inf, tokens: float = math.inf, minute_s: float = 60.0) -> Meters:
    return Meters(Meter(requests, minute_s), Meter(tokens, minute_s))


def saturated(bounds: Meters, until: float, wanted: Amount, least: Amount) -> list[Share]:
    """Ask again as soon as the last grant has begun."""
    now, granted = 0.0, []
    while now < until:
        granted.append(share_of(bounds, now, wanted, least))
        now = granted[-1].start
    return granted


def most_in_a_minute(begun: list[tuple[float, float]], minute_s: float) -> float:
    return max(sum(part for at, part in begun if start <= at < start + minute_s) for start, _ in begun)


def test_sixty_a_minute_begin_a_second_apart_and_a_little_more() -> None:
    starts = [share.start for share in saturated(meters(60), 10, Amount(8), Amount(1))]
    assert starts[0] == 0
    # (60 s + 0.5 s to use it + 1 s on its way + 0.25 s of grain) / 60, a twentieth faster
    assert [b - a for a, b in pairwise(starts[1:])] == pytest.approx([61.75 / 60 / 1.05] * (len(starts) - 2))


def test_a_batch_is_half_a_second_s_worth_and_no_more_than_is_wanted() -> None:
    assert share_of(meters(6175), 0.0, Amount(1000), Amount(1)).amount == Amount(52, 0)
    assert share_of(meters(6175), 0.0, Amount(7), Amount(1)).amount == Amount(7, 0)


def test_who_was_behind_catches_up_a_second() -> None:
    bounds = meters(6175)  # one in 9.5 ms
    share_of(bounds, 0.0, Amount(50), Amount(1))
    late = saturated_from(bounds, 30.0)
    assert sum(share.amount.requests for share in late if share.start == 30.0) == pytest.approx(100, abs=50)
    assert share_of(bounds, 30.0, Amount(1), Amount(1)).start > 30.0


def saturated_from(bounds: Meters, now: float) -> list[Share]:
    return [share_of(bounds, now, Amount(50), Amount(1)) for _ in range(3)]


def test_a_minute_that_is_full_opens_when_its_first_grain_is_past() -> None:
    meter = Meter(10, paid_until=0.0, spent={0: 10})  # all of them in the first quarter of a second
    assert meter.earliest(5.0, 1) == pytest.approx(0.25 + 61.5)
    assert meter.earliest(70.0, 1) == 70.0


def test_a_call_above_the_bound_by_itself_has_a_minute_of_its_own() -> None:
    bounds = meters(tokens=1000)
    first, far_ahead = (share_of(bounds, 0.0, Amount(1, 5000), Amount(1, 5000)) for _ in range(2))
    second = share_of(bounds, far_ahead.start, Amount(1, 5000), Amount(1, 5000))
    assert first.amount == second.amount == Amount(1, 1000)
    assert far_ahead.amount == Amount()
    assert second.start == far_ahead.start == pytest.approx(61.75)


def test_tokens_that_were_not_taken_are_there_for_the_next() -> None:
    bounds = meters(tokens=1000)
    share = share_of(bounds, 0.0, Amount(1, 1000), Amount(1, 1000))
    bounds.tokens.correct(share.grain, -900)
    assert share_of(bounds, 0.0, Amount(1, 100), Amount(1, 100)).start == pytest.approx(
        5.88, abs=0.01
    )  # 100 at 58.8 ms


def test_a_clock_that_is_set_back_costs_two_minutes_at_most() -> None:
    bounds = meters(60)
    share_of(bounds, 1e6, Amount(1), Amount(1))
    bounds.last = 0.0  # which the ledger's state sees to
    assert share_of(bounds, 10.0, Amount(1), Amount(1)).start <= 130.0


@given(
    bound=st.integers(1, 400),
    takers=st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 60)), min_size=1, max_size=4),
    delays=st.lists(st.floats(0, 1), min_size=1, max_size=20),
)
def test_no_minute_holds_more_than_the_bound_whoever_takes_and_however_late(bound, takers, delays) -> None:
    bounds, begun, now = meters(bound), [], 0.0
    for turn in range(150):
        pause, wanted = takers[turn % len(takers)]
        share = share_of(bounds, now, Amount(wanted), Amount(1))
        hold, late = delays[turn % len(delays)] * 0.5, delays[-1 - turn % len(delays)]
        begun.append((share.start + hold + late, share.amount.requests))
        now = max(now, share.start - 1) + pause
    assert most_in_a_minute(begun, 60.0) <= bound


@pytest.mark.thorough
@given(bound=st.integers(1, 5000), weight=st.floats(0.001, 0.05))
def test_under_saturation_96_percent_are_used(bound, weight) -> None:
    tokens = max(1, round(bound * weight))
    granted = saturated(meters(tokens=bound), 240, Amount(3, 3 * tokens), Amount(1, tokens))
    used = sum(share.amount.tokens for share in granted if 60 <= share.start < 240) / 3
    assert used >= 0.96 * bound - 2 * 3 * tokens
    assert most_in_a_minute([(share.start, share.amount.tokens) for share in granted], 60.0) <= bound
