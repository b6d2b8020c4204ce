from bench.bounds import most_in_a_minute


def test_any_minute_counts_not_that_of_a_clock() -> None:
    assert most_in_a_minute([]) == 0
    assert most_in_a_minute([0, 59, 60, 119]) == 2
    assert most_in_a_minute([0, 50, 59.9, 60, 61, 120]) == 4
