import pytest

from bench.cases import LARGE, SMALL
from bench.goals import Goal, goals, goals_table, growth, marginal_ms, middle, peak_mb, seconds
from tests.bench.measured import ALL, measured


def test_a_goal_says_by_how_much_it_is_missed() -> None:
    assert Goal("time", 2.0, 2.5, " s").row == ("time", "<= 2 s", "2.50 s", "**missed by 0.50 s (25%)**")
    assert Goal("ratio", 0.8, 0.6, at_least=True).row == ("ratio", ">= 0.8", "0.60", "**missed by 0.20 (25%)**")


def test_a_goal_that_is_just_reached_is_met_and_one_without_a_figure_is_not() -> None:
    assert Goal("time", 2.0, 2.0, " s").verdict == "met"
    assert Goal("ratio", 0.8, 0.9, at_least=True).verdict == "met"
    assert Goal("time", 2.0, None, " s").row == ("time", "<= 2 s", "-", "not measured")


def test_the_goals_are_judged_by_medians_of_their_cases() -> None:
    found = goals([*ALL, measured(1, seconds=9.0), measured(1, seconds=1.5)])
    assert [goal.figure for goal in found] == pytest.approx([0.8, 1.0, 1.0, 1.5, 0.4, 220.0, 14.0])
    assert [goal.verdict for goal in found if goal.verdict != "met"] == ["**missed by 4.00 MB (40%)**"]
    assert goals_table(found).count("\n") == len(found) + 1


def test_cases_that_failed_leave_their_goals_unmeasured() -> None:
    found = goals([row for row in ALL if row.case.n < LARGE])
    assert [goal.verdict for goal in found] == ["met"] * 4 + ["not measured"] * 3


def test_a_sample_more_costs_what_the_sizes_differ_by() -> None:
    assert marginal_ms(ALL) == pytest.approx(0.4)
    assert marginal_ms(ALL, judge=True, of=lambda row: row.cpu_s["prefect"]) == 0
    assert growth(ALL, peak_mb, (SMALL, LARGE)) == pytest.approx(18.0)
    assert middle(ALL, seconds, 3) is None
