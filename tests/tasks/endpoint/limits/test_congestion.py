import math

from tasks.endpoint.limits.congestion import Congestion


def test_a_429_halves_once_for_all_calls_that_were_in_flight() -> None:
    bears = Congestion()
    for _ in range(16):
        bears.asked_too_often(0, 16)
    assert bears.limit == 8
    bears.asked_too_often(1, 8)
    assert bears.limit == 4


def test_one_call_at_a_time_is_always_left() -> None:
    bears = Congestion()
    for began in range(9):
        bears.asked_too_often(began, 1)
    assert bears.limit == 1


def test_one_late_answer_among_twenty_may_be_chance() -> None:
    bears = Congestion()
    for _ in range(5):
        bears.late(0, 8)
        for _ in range(20):
            bears.answered(0, 8)
    assert bears.limit == math.inf
    bears.late(0, 8)
    bears.answered(0, 8)
    bears.late(0, 8)
    assert bears.limit == 4


def test_it_climbs_by_one_a_round_and_is_free_again_where_it_was_before() -> None:
    bears = Congestion()
    bears.asked_too_often(0, 8)
    for _ in range(5):  # 1/4 + 1/4.25 + ... first passes 1 with the fifth: 4 + 1.13
        bears.answered(1, 4)
    assert 5.0 < bears.limit < 5.2
    for _ in range(6 + 7 + 8):
        bears.answered(1, 8)
    assert bears.limit == math.inf


def test_it_does_not_climb_while_fewer_are_asked() -> None:
    bears = Congestion()
    bears.asked_too_often(0, 32)
    for _ in range(99):
        bears.answered(1, 2)
    assert bears.limit == 16


def test_what_bears_eight_is_asked_between_four_and_eight_at_a_time() -> None:
    bears, asked = Congestion(), []
    for _ in range(60):
        at_once = int(min(bears.limit, 64))
        asked.append(at_once)
        began = bears.round
        for call in range(at_once):
            (bears.answered if call < 8 else bears.asked_too_often)(began, at_once)
    assert set(asked[8:]) <= {4, 5, 6, 7, 8, 9}
    assert sum(asked[8:]) / 52 > 6
