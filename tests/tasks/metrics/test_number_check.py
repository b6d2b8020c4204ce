from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.metric import NumberOperator
from tasks.metrics.measure import Unparsable
from tasks.metrics.number_check import last_number, number_check

DECIMALS = st.decimals(-1000, 1000, places=3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("72", "72"),
        ("48/2 = <<48/2=24>>24\n#### 72", "72"),
        ("The answer is $1,234,567.89.", "1234567.89"),
        ("It is -5 degrees", "-5"),
        ("on 2020-05", "5"),
        ("from 3 to +4", "4"),
        ("(7)-2", "2"),
        (".5", "0.5"),
        ("about 6.02e23", "6.02e23"),
        ("1e-3!", "0.001"),
        ("12e5000", "5000"),
        ("1,2,3", "3"),
        ("1,2345", "2345"),
        ("x1y2z", "2"),
        ("٧٢", "72"),
        ("答えは42です😀", "42"),
    ],
)
def test_the_last_number_is_found(text: str, expected: str) -> None:
    assert last_number(text) == Decimal(expected)
    assert number_check(text, "==", expected) == 1.0


@pytest.mark.parametrize(
    ("left", "operator", "right", "expected"),
    [
        ("72.0", "==", "72", 1.0),
        ("72", "!=", "72.00", 0.0),
        ("3", ">", "2", 1.0),
        ("2", ">", "2", 0.0),
        ("2", ">=", "2", 1.0),
        ("-1", "<", "0", 1.0),
        ("2", "<=", "1", 0.0),
        ("0.3", "absolute difference", "0.2", 1.0),
        ("0.31", "absolute difference", "0.2", 0.0),
        ("12345678901234567891", "==", "12345678901234567890", 0.0),
    ],
)
def test_each_operator_relates_left_to_right(left: str, operator: NumberOperator, right: str, expected: float) -> None:
    assert number_check(left, operator, right, epsilon=0.1) == expected


@pytest.mark.parametrize(("left", "right", "part"), [("none", "1", "left"), ("1", "", "right"), ("-", "e5", "left")])
def test_a_text_without_a_number_is_not_scored(left: str, right: str, part: str) -> None:
    with pytest.raises(Unparsable, match="there is no number in") as caught:
        number_check(left, "==", right)
    assert caught.value.part == part


@given(st.text(max_size=30), st.integers() | st.floats(-1e15, 1e15).map(lambda x: round(x, 6)))
def test_a_number_that_stands_last_is_the_one_that_is_read(before: str, number: float) -> None:
    assert last_number(f"{before} ; {number}") == Decimal(str(number))
    assert last_number(f"{number} apples") == Decimal(str(number))


@given(DECIMALS, DECIMALS)
def test_exactly_one_order_holds_between_two_numbers(first: Decimal, second: Decimal) -> None:
    left, right = f"{first:f}", f"{second:f}"
    orders: list[NumberOperator] = ["<", "==", ">"]
    assert sum(number_check(left, operator, right) for operator in orders) == 1.0
    assert number_check(left, "<=", right) == number_check(right, ">=", left)
