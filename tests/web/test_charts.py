import pytest

from web.charts import Bin, Effect, forest, histogram, interval_bar, outcome_bar, sparkline


def test_an_interval_lies_where_it_is_on_its_scale():
    bar = interval_bar("said", 2.0, 1.5, 3.0, (0.0, 4.0), width=100)
    assert (bar.low, bar.point, bar.high) == (37.5, 50.0, 75.0)
    assert interval_bar("", 9.0, None, None, (0.0, 4.0)).point == 200
    assert interval_bar("", 1.0, 1.0, 1.0, (1.0, 1.0)).point == 100


def test_no_difference_is_in_the_middle_of_a_forest():
    plot = forest([Effect("a", "a", 0.0, -0.1, 0.1), Effect("b" * 99, "b", None, None, None, "worse")])
    assert plot.rows[0].point == plot.zero
    low, high = plot.rows[0].low, plot.rows[0].high
    assert low is not None
    assert high is not None
    assert high - plot.zero == pytest.approx(plot.zero - low)
    assert plot.zero - 240 == plot.width - plot.zero
    assert (plot.rows[1].point, plot.rows[1].label[-1]) == (None, "…")
    assert forest([]).rows == ()


def test_the_most_frequent_values_have_the_tallest_column():
    chart = histogram("said", [Bin(0, 1, 5), Bin(1, 2, 10), Bin(2, 3, 0)])
    assert [column.height for column in chart.columns] == [50, 100, 0]
    assert (chart.low, chart.high) == (0, 3)
    assert histogram("none", []).columns == ()


def test_each_outcome_that_occurs_can_be_seen():
    bar = outcome_bar({"scored": 99_999, "judge_error": 1, "refused": 0}, width=100)
    assert [part.name for part in bar.parts] == ["scored", "judge_error"]
    assert bar.parts[1].width > 1.9
    assert sum(part.width for part in bar.parts) <= 100.001
    assert bar.text == "99,999 scored, 1 judge_error"


def test_a_sparkline_goes_from_left_to_right_and_up():
    assert sparkline("said", [0.0, 1.0]).points == "3.0,21.0 97.0,3.0"
    assert sparkline("none", []).last is None
