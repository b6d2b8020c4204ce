"""The simulation of statistics: what it counts, and when it says that something is wrong."""

from random import Random

from bench.statistics import Cell, Found, covers_grades, differs, report, same_bits
from core.stats.interval import SHARE


def test_a_share_may_lie_beyond_what_is_allowed_by_chance_alone() -> None:
    cell = Cell("intervals", 93, 97, draw=lambda _: True)
    # Three standard errors of 92 % in 1,000 runs are 2.6 of a hundred, in 100,000 runs 0.26.
    assert Found(cell, 1_000, 92.0).is_right
    assert not Found(cell, 100_000, 92.0).is_right
    assert not Found(cell, 1_000, 100.0).is_right
    assert not Found(Cell("exact", 94.9, 94.9), 0, 94.8).is_right


def test_what_is_wrong_fails_by_name() -> None:
    right, wrong = Found(Cell("a", 93, 97), 100_000, 95.0), Found(Cell("b", 93, 97), 100_000, 80.0)
    assert "Nothing failed." in report([right], 0, 1, 2.0)
    assert "- FAILED: b: 80.0 %" in report([right, wrong], 0, 1, 2.0)
    assert "- FAILED: 3 orders of the same rows gave other bits" in report([right], 3, 1, 2.0)


def test_what_is_drawn_is_what_it_says() -> None:
    chance = Random(1)
    assert not any(differs(100, 0.0, 0.0)(chance) for _ in range(20))
    assert all(differs(200, 0.5, 0.4)(chance) for _ in range(20))
    assert covers_grades((lambda _: 1.0, SHARE, 1.0), 30)(chance)
    assert not covers_grades((lambda r: r.random(), SHARE, 0.9), 30)(chance)
    assert same_bits(1, times=3) == 0
