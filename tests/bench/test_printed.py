from bench.printed import PRINTED, report

OUTPUT = """\
1000 samples, pages of 50
  median      p95  milliseconds
by typed columns
   450.0    470.0  the first page
    12.5     14.0  filter[truncated]=true
   301.0    310.0  filter[passed]=false
in the text of items and outputs
   900.0    990.0  filter[item.topic]=physics
"""


def test_the_goal_is_about_filters_of_typed_columns_only() -> None:
    assert [goal.figure for goal in PRINTED["samples"].goals(OUTPUT)] == [301.0]
    assert [goal.verdict for goal in PRINTED["samples"].goals("started in 0.1 s\n")] == ["not measured"]


def test_pages_of_many_jobs_and_of_a_large_one_have_goals_of_their_own() -> None:
    output = (
        "  first   median\nof many jobs\n 200.0 90.0 91 9 /\n 900.0 149.0 1 1 /?x\nof one large job\n 9 8 7 6 /jobs\n"
    )
    assert [goal.figure for goal in PRINTED["pages"].goals(output)] == [149.0, 8.0]


def test_what_was_printed_is_kept_as_it_is_below_the_goal() -> None:
    text = report(PRINTED["samples"], OUTPUT, 0, 12.0)
    assert f"```\n{OUTPUT}```" in text
    assert "missed by 1.00 ms" in text


def test_comparisons_have_goals_of_time_and_of_memory() -> None:
    output = "2 x 9\n CPU s x reading peak MB of them new\n   1.20   4.0   85   30  checks\n   9.0 9.0 9 9  grades\n"
    assert [goal.verdict for goal in PRINTED["comparisons"].goals(output)] == ["**missed by 0.20 s (20%)**", "met"]
    assert [goal.verdict for goal in PRINTED["comparisons"].goals("")] == ["not measured"] * 2


def test_a_benchmark_that_fails_says_so() -> None:
    assert "FAILED: it ended with 1." in report(PRINTED["lists"], "half", 1, 3.0)
    assert "FAILED" not in report(PRINTED["sandbox"], "whole", 0, 3.0)
