import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.metric import StringOperator
from tasks.metrics.string_check import string_check


@pytest.mark.parametrize(
    ("left", "operator", "right", "expected"),
    [
        ("Paris", "equals", "Paris", 1.0),
        ("Paris", "equals", "paris", 0.0),
        ("Paris ", "equals", "Paris", 0.0),
        ("Paris", "not equals", "Rome", 1.0),
        ("It is Paris.", "contains", "Paris", 1.0),
        ("Paris", "contains", "It is Paris.", 0.0),
        ("Paris", "contains", "", 1.0),
        ("It is Paris.", "not contains", "Rome", 1.0),
        ("Paris, France", "startswith", "Paris", 1.0),
        ("Paris, France", "startswith", "France", 0.0),
        ("Paris, France", "endswith", "France", 1.0),
        ("", "endswith", "France", 0.0),
    ],
)
def test_each_operator_relates_left_to_right(left: str, operator: StringOperator, right: str, expected: float) -> None:
    score = string_check(left, operator, right)
    assert score == expected
    assert type(score) is float


@given(st.text(), st.text())
def test_a_negated_operator_says_the_opposite(left: str, right: str) -> None:
    assert string_check(left, "equals", right) + string_check(left, "not equals", right) == 1.0
    assert string_check(left, "contains", right) + string_check(left, "not contains", right) == 1.0


@given(st.text(), st.text(), st.text())
def test_a_text_starts_with_contains_and_ends_with_its_parts(start: str, middle: str, end: str) -> None:
    text = start + middle + end
    assert string_check(text, "startswith", start) == 1.0
    assert string_check(text, "contains", middle) == 1.0
    assert string_check(text, "endswith", end) == 1.0
