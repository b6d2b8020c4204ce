from core.job import BASE58, base58_id, random_id


def test_ids_in_base_58_are_short_distinct_and_readable() -> None:
    ids = [base58_id("eval-") for _ in range(500)]
    assert len(set(ids)) == 500
    assert all(each.startswith("eval-") and 15 < len(each) <= 27 for each in ids)
    assert set("".join(each.removeprefix("eval-") for each in ids)) <= set(BASE58)
    assert not set("0OIl") & set(BASE58)


def test_random_ids_have_the_length_that_is_asked_for() -> None:
    assert len(random_id("job-")) == 26
    assert random_id("", 5) != random_id("", 5)
