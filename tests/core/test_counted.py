import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.counted import BEYOND, BOUNDS_S, Counted, Tally, bound_of
from core.result import Call, CallKey, Usage

KEY = CallKey("qa", 0, "t", 0, "target", "", 0)


def call(seconds: float = 0.2, attempts: int = 1) -> Call:
    usage = Usage(prompt_tokens=7, completion_tokens=3, total_tokens=10)
    return Call(KEY, "answered", "{}", seconds=seconds, attempts=attempts, usage=usage)


def test_a_call_adds_its_outcome_its_retries_its_seconds_and_its_tokens_by_kind() -> None:
    tally = Tally()
    tally.add("m", call(attempts=3))
    assert tally.take() == {
        Counted("calls", "m", "answered"): 1,
        Counted("retries", "m"): 2,
        Counted("seconds", "m"): 0.2,
        Counted("seconds_up_to", "m", "0.25"): 1,
        Counted("tokens", "m", "prompt"): 7,
        Counted("tokens", "m", "completion"): 3,
    }
    assert tally.take() == {}


def test_a_call_that_was_never_tried_took_no_time() -> None:
    tally = Tally()
    tally.add("m", Call(KEY, "not_attempted", "{}"))
    assert tally.take() == {Counted("calls", "m", "not_attempted"): 1}


def test_what_could_not_be_written_down_is_taken_with_the_next() -> None:
    tally = Tally()
    tally.add("m", call())
    tally.give_back(tally.take())
    tally.add("m", call())
    assert tally.take()[Counted("calls", "m", "answered")] == 2


@given(st.floats(0, 2_000))
def test_seconds_keep_to_the_least_bound_that_is_not_below_them(seconds: float) -> None:
    bound = bound_of(seconds)
    kept = [each for each in BOUNDS_S if seconds <= each]
    assert bound == (str(min(kept)) if kept else BEYOND)


@pytest.mark.parametrize("bound", BOUNDS_S)
def test_a_bound_is_kept_to_by_what_is_just_as_long(bound: float) -> None:
    assert bound_of(bound) == str(bound)
