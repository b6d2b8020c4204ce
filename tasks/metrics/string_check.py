"""String check: does one text stand in a relation to another?"""

from typing import assert_never

from core.metric import StringCheck, StringOperator
from tasks.metrics.measure import Measure, Texts, check


def string_check(left: str, operator: StringOperator, right: str) -> float:
    """Return 1.0 if `left` stands in the relation `operator` to `right`, else 0.0.

    Texts are compared as they are: case and white space count. `contains` asks whether `right` is in `left`.
    """
    return float(_holds(left, operator, right))


def measure(metric: StringCheck, texts: Texts) -> list[Measure]:
    """Return the scores of an output's texts."""
    return [check(string_check(texts["left"], metric.operator, texts["right"]))]


def _holds(left: str, operator: StringOperator, right: str) -> bool:
    match operator:
        case "equals":
            return left == right
        case "not equals":
            return left != right
        case "contains":
            return right in left
        case "not contains":
            return right not in left
        case "startswith":
            return left.startswith(right)
        case "endswith":
            return left.endswith(right)
        case _:
            assert_never(operator)
