import time

from core.job import BASE58, CROCKFORD, LONGEST_NAME, NewJob, base58_id, random_id, renamed, ulid

DIGITS = str.maketrans(CROCKFORD, "0123456789abcdefghijklmnopqrstuv")
"""From the digits of a ULID to Python's of base 32."""


def test_ids_in_base_58_are_short_distinct_and_readable() -> None:
    ids = [base58_id("eval-") for _ in range(500)]
    assert len(set(ids)) == 500
    assert all(each.startswith("eval-") and 15 < len(each) <= 27 for each in ids)
    assert set("".join(each.removeprefix("eval-") for each in ids)) <= set(BASE58)
    assert not set("0OIl") & set(BASE58)


def test_random_ids_have_the_length_that_is_asked_for() -> None:
    assert len(random_id("job-")) == 26
    assert random_id("", 5) != random_id("", 5)


def test_ulids_are_in_the_order_of_their_times_and_say_them() -> None:
    before = time.time()
    ids = [ulid("eval_") for _ in range(200)]
    assert len(set(ids)) == 200
    assert {len(each) for each in ids} == {31}
    assert set("".join(each.removeprefix("eval_") for each in ids)) <= set(CROCKFORD)
    times = [int(each[5:15].translate(DIGITS), 32) / 1000 for each in ids]
    assert times == sorted(times)
    assert before - 0.001 <= times[0] <= times[-1] <= time.time()


def test_a_name_that_is_taken_gets_the_end_of_the_id_however_long_it_is() -> None:
    job = NewJob("job-0123456789", "nemo-v2", {}, "n" * LONGEST_NAME, spec=None)
    name = renamed(job).name
    assert (len(name), name[-8:]) == (LONGEST_NAME, "n-456789")
