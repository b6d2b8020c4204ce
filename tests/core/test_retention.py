from datetime import datetime, timedelta

import pytest

from core.errors import InvalidInput
from core.retention import Ended, Rule, age, series_of

NOW = datetime.fromisoformat("2026-11-01")


def ended(name: str, days_ago: int, *, completed: bool = True, series: str = "nightly") -> Ended:
    return Ended(name, ("default", series), NOW - timedelta(days=days_ago), completed)


def outlived(rule: Rule, *jobs: Ended) -> list[str]:
    return [job.id for job in rule.outlived(jobs, NOW)]


def test_what_ended_longer_ago_goes() -> None:
    assert outlived(Rule(timedelta(days=30)), ended("a", 29), ended("b", 31), ended("c", 30)) == ["b"]


def test_the_newest_of_each_name_stay() -> None:
    jobs = [ended("a", 1), ended("b", 2), ended("c", 3), ended("d", 9, series="other")]
    assert outlived(Rule(keep=2), *jobs) == ["c"]


def test_with_an_age_and_a_number_only_what_is_neither_young_nor_of_the_newest_goes() -> None:
    jobs = [ended("a", 1), ended("b", 2), ended("c", 40), ended("d", 50, series="other")]
    assert outlived(Rule(timedelta(days=30), keep=1), *jobs) == ["c"]


def test_failures_since_do_not_push_out_the_last_results() -> None:
    jobs = [ended("f1", 1, completed=False), ended("f2", 2, completed=False), ended("c1", 3), ended("c2", 4)]
    assert outlived(Rule(keep=1), *jobs) == ["f2", "c2"]


@pytest.mark.parametrize(
    ("name", "config", "series"),
    [
        ("nightly", None, ("n", "nightly")),
        ("nightly-abc123", None, ("n", "nightly")),
        ("nightly-abc124", None, ("n", "nightly-abc124")),
        ("job-xyzabc123", "qa", ("n", "", "qa", "m")),
    ],
)
def test_jobs_are_of_a_series_by_their_names_or_else_by_what_they_are_about(
    name: str, config: str | None, series: tuple[str, ...]
) -> None:
    assert series_of("job-xyzabc123", namespace="n", name=name, config=config, model="m") == series


def test_an_age_is_a_number_of_hours_days_or_weeks() -> None:
    assert [age(text) for text in ("12h", "30d", "8w")] == [
        timedelta(hours=12),
        timedelta(days=30),
        timedelta(weeks=8),
    ]


@pytest.mark.parametrize("text", ["", "30", "0d", "-1d", "1.5d", "30 days", "999999w"])
def test_what_is_no_age_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidInput, match="such as 12h, 30d or 8w"):
        age(text)


@pytest.mark.parametrize("bounds", [{}, {"keep": 0}])
def test_a_rule_that_would_take_everything_is_refused(bounds: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        Rule(**bounds)  # type: ignore[arg-type]  # one bound is of another type
