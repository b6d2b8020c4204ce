from hypothesis import given
from hypothesis import strategies as st

from tasks.endpoint.breaker import IDENTICAL_ERRORS, STOPS_IN_A_ROW, Breaker, Fuse

ERRORS = st.lists(st.sampled_from(["HTTP 401: no", "HTTP 404: none", ""]), max_size=20)


def broken(*errors: str) -> Breaker:
    breaker = Breaker()
    for error in errors:
        breaker.failure(error)
    return breaker


def test_it_opens_with_the_fifth_identical_error() -> None:
    assert not broken(*["HTTP 401: no"] * (IDENTICAL_ERRORS - 1)).open
    opened = broken(*["HTTP 401: no"] * IDENTICAL_ERRORS)
    assert opened.open
    assert opened.error == "HTTP 401: no"


def test_errors_that_differ_in_numbers_and_ids_alone_are_identical() -> None:
    errors = [f"HTTP 401: request {i} ({i:032x}) refused after {i * 1.5} ms" for i in range(IDENTICAL_ERRORS)]
    assert broken(*errors).open
    assert not broken(*[f"the model {word} is not here" for word in "abcde"]).open


@given(ERRORS, ERRORS)
def test_one_success_keeps_it_closed_for_good(before: list[str], after: list[str]) -> None:
    breaker = broken(*before)
    breaker.success()
    assert not breaker.open
    for error in after:
        breaker.failure(error)
        assert not breaker.open


@given(ERRORS)
def test_it_is_open_just_if_the_last_five_errors_are_one(errors: list[str]) -> None:
    last = errors[-IDENTICAL_ERRORS:]
    assert broken(*errors).open == (len(last) == IDENTICAL_ERRORS and len(set(last)) == 1)
    assert broken(*errors).succeeded is False


@given(st.lists(st.sampled_from(["2 s", "64 MB", None]), max_size=3 * STOPS_IN_A_ROW))
def test_a_fuse_blows_just_if_one_limit_stopped_so_many_in_a_row_and_stays_blown(limits: list[str | None]) -> None:
    fuse = Fuse()
    for limit in limits:
        fuse.note(limit)
    runs = [limits[i : i + STOPS_IN_A_ROW] for i in range(len(limits) - STOPS_IN_A_ROW + 1)]
    assert (fuse.error is not None) == any(run[0] is not None and len(set(run)) == 1 for run in runs)


def test_a_blown_fuse_says_which_limit_it_was() -> None:
    fuse = Fuse()
    for _ in range(STOPS_IN_A_ROW):
        fuse.note("it ran for more than 2 s")
    assert fuse.error == f"it was stopped {STOPS_IN_A_ROW} times in a row and is run no more: it ran for more than 2 s"
