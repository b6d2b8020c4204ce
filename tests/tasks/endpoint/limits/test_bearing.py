import math

import pytest

from tasks.endpoint.limits.bearing import Bearing, Told
from tasks.endpoint.limits.ledger import UNBOUNDED, Bounds


@pytest.mark.parametrize(
    ("bears", "allowed", "bounds", "said"),
    [
        (math.inf, math.inf, UNBOUNDED, None),
        (4.6, math.inf, UNBOUNDED, "m: 4 at a time, since it bore no more"),
        (4.6, 3, Bounds(8), "m: 3 of 8 at a time, the rest in other processes"),
        (math.inf, math.inf, Bounds(8), "m: 8 at a time"),
        (9, 8, Bounds(8, 1200, 5e4), "m: 8 at a time, 1,200 requests a minute, 50,000 tokens a minute"),
    ],
)
def test_what_holds_up_a_model_s_calls_is_said_in_one_line(bears, allowed, bounds, said) -> None:
    assert Bearing("m", bears, allowed, bounds).now == said


def test_a_ledger_that_cannot_be_asked_is_what_holds_up_the_calls() -> None:
    said = Bearing("m", 4, 4, Bounds(8), "the disk is gone").now
    assert said == "m: none begins, since the bounds cannot be read: the disk is gone"


def test_a_log_is_told_of_each_new_low_and_of_the_end_of_it_once() -> None:
    told = Told()
    said = [told.news(Bearing("m", bears)) for bears in (math.inf, 8, 4.5, 6, 4.2, 3.9, math.inf, math.inf)]
    low = "{} calls at a time from now on, since it was asked too often or answered too late"
    over = "as many calls at a time as before"
    assert said == [None, low.format(8), low.format(4), None, None, low.format(3), over, None]


def test_a_log_is_told_when_bounds_cannot_be_read_and_when_they_can_again() -> None:
    told = Told()
    said = [told.news(Bearing("m", trouble=trouble)) for trouble in (None, "gone", "gone", None)]
    assert said == [
        None,
        "no call begins, since its bounds cannot be read: gone",
        None,
        "its bounds can be read again",
    ]
