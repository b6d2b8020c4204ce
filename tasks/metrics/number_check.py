"""Number check: does the last number in one text stand in a relation to that in another?

As NeMo Evaluator defines it; the answers of GSM8K (Cobbe et al. 2021) are compared in the same way.
"""

import re
from collections import deque
from decimal import Decimal
from typing import assert_never

from core.metric import NumberCheck, NumberOperator
from tasks.metrics.measure import Measure, Texts, Unparsable, check

_NUMBER = re.compile(
    r"""
    (?: (?<![\w.)]) [-+] )?                                       # no sign, but a dash, as in 2020-05
    (?: (?: \d{1,3} (?:,\d{3})+ (?!\d) | \d+ ) (?:\.\d+)? | \.\d+ )  # commas part thousands
    (?: [eE] [-+]? \d{1,3} (?!\d) )?
    """,
    re.VERBOSE,
)


def number_check(left: str, operator: NumberOperator, right: str, *, epsilon: float = 0.0) -> float:
    """Return 1.0 if the last number in `left` stands in the relation `operator` to that in `right`, else 0.0.

    Numbers are compared as written in decimal, not rounded to binary. Raises Unparsable for a text without a number.
    """
    first, second = _needed("left", left), _needed("right", right)
    return float(_holds(first, operator, second, Decimal(repr(epsilon))))


def measure(metric: NumberCheck, texts: Texts) -> list[Measure]:
    """Return the scores of an output's texts."""
    return [check(number_check(texts["left"], metric.operator, texts["right"], epsilon=metric.epsilon))]


def last_number(text: str) -> Decimal | None:
    """Return the last number in a text, which may have a sign, thousands, decimals and an exponent."""
    last = deque(_NUMBER.finditer(text), maxlen=1)
    return _value(last[0]) if last else None


def leading_number(text: str) -> Decimal | None:
    """Return the number that a text begins with, after white space and a dollar sign."""
    first = _NUMBER.match(text.lstrip().removeprefix("$").lstrip())
    return _value(first) if first else None


def _value(number: re.Match[str]) -> Decimal:
    return Decimal(number.group().replace(",", ""))


def _needed(part: str, text: str) -> Decimal:
    number = last_number(text)
    if number is None:
        raise Unparsable(part, f"there is no number in {text[-100:]!r}")
    return number


def _holds(left: Decimal, operator: NumberOperator, right: Decimal, epsilon: Decimal) -> bool:
    match operator:
        case "==":
            return left == right
        case "!=":
            return left != right
        case ">":
            return left > right
        case ">=":
            return left >= right
        case "<":
            return left < right
        case "<=":
            return left <= right
        case "absolute difference":
            return abs(left - right) <= epsilon
        case _:
            assert_never(operator)
