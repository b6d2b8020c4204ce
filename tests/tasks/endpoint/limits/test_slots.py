import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.endpoint.limits.slots import LEASE_S, TURN_S, Holder, leased, shares


@pytest.mark.parametrize(
    ("capacity", "wants", "given_"),
    [
        (10, {"a": 99}, {"a": 10}),
        (10, {"a": 1}, {"a": 10}),  # what nobody wants is there for the next call
        (10, {"a": 99, "b": 99}, {"a": 5, "b": 5}),
        (10, {"a": 2, "b": 99}, {"a": 2, "b": 8}),
        (11, {"a": 2, "b": 3}, {"a": 5, "b": 6}),
        (1, {"a": 1, "b": 1}, {"a": 1, "b": 0}),
        (7, {"a": 99, "b": 99, "c": 99}, {"a": 3, "b": 2, "c": 2}),
    ],
)
def test_calls_are_divided_evenly_among_those_that_want_them(capacity, wants, given_) -> None:
    assert shares(capacity, wants, turn=0) == given_


def test_what_cannot_be_divided_goes_round() -> None:
    assert [shares(1, {"a": 1, "b": 1}, turn=turn) for turn in (1, 2)] == [{"b": 1, "a": 0}, {"a": 1, "b": 0}]


def test_a_newcomer_waits_for_what_is_given_back() -> None:
    kept, alone = leased({}, 8, "a", in_use=0, wanted=8, now=0.0)
    kept, early = leased(kept, 8, "b", in_use=0, wanted=8, now=1.0)
    kept, giving = leased(kept, 8, "a", in_use=6, wanted=8, now=2.0)  # two of its calls have ended
    kept, some = leased(kept, 8, "b", in_use=0, wanted=8, now=2.0)
    kept, settled = leased(kept, 8, "a", in_use=4, wanted=8, now=3.0)
    kept, half = leased(kept, 8, "b", in_use=2, wanted=8, now=3.0)
    assert (alone, early, giving, some, settled, half) == (8, 0, 4, 2, 4, 4)


def test_who_died_has_its_calls_until_its_lease_ends_and_no_longer() -> None:
    kept, _ = leased({}, 8, "dead", in_use=0, wanted=8, now=0.0)
    assert leased(kept, 8, "b", in_use=0, wanted=8, now=LEASE_S - 0.1)[1] == 0
    assert leased(kept, 8, "b", in_use=0, wanted=8, now=LEASE_S)[1] == 8


def test_who_has_and_wants_none_is_forgotten() -> None:
    kept, _ = leased({}, 8, "a", in_use=0, wanted=8, now=0.0)
    assert leased(kept, 8, "a", in_use=0, wanted=0, now=1.0) == ({}, 0)


def test_a_lease_from_a_clock_that_was_set_back_ends() -> None:
    kept = {"a": Holder(8, 8, 1e9)}
    assert leased(kept, 8, "b", in_use=0, wanted=8, now=0.0)[1] == 8


@given(
    capacity=st.integers(1, 20),
    moves=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.integers(0, 30), st.floats(0, 3))),
)
def test_all_together_never_have_more_than_there_are(capacity, moves) -> None:
    holders: dict[str, Holder] = {}
    may, in_use, now = dict.fromkeys("abc", 0), dict.fromkeys("abc", 0), 0.0
    for who, wants, begun, passed in moves:
        now += passed
        for name in "abc":
            if name not in holders or now >= holders[name].until:
                may[name] = in_use[name] = 0  # its lease is over: it begins none, and those it had are gone
        in_use[who] = min(begun, max(may[who], min(in_use[who], begun)))
        holders, may[who] = leased(holders, capacity, who, in_use=in_use[who], wanted=wants, now=now)
        assert sum(max(may[name], in_use[name]) for name in holders) <= capacity


@given(capacity=st.integers(1, 5), names=st.sets(st.sampled_from("abcdefgh"), min_size=1))
def test_each_has_a_turn(capacity, names) -> None:
    wants = dict.fromkeys(names, 9)
    had = {name for turn in range(len(names)) for name, part in shares(capacity, wants, turn=turn).items() if part}
    assert had == names
    assert TURN_S > LEASE_S
