from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.maniac.filters import holds
from api.maniac.schema.chats import Filter

RECORD: dict[str, Any] = {
    "model": "gpt",
    "tags": ["a", "b"],
    "created_at": "2026-01-02T00:00:00Z",
    "metadata": {"topic": "sums", "n": 3, "empty": None, "dotted.name": {"x": 1}},
    "output": {"usage": {"total_tokens": 10}},
}

OPPOSITES = [("equals", "not_equals"), ("contains", "not_contains"), ("in", "not_in"), ("exists", "not_exists")]

values = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers() | st.text(), max_size=3)


def found(key: str, operator: str, value: Any = None) -> bool:
    return holds(Filter.model_validate({"key": key, "operator": operator, "value": value}), RECORD)


@pytest.mark.parametrize(
    ("key", "operator", "value"),
    [
        ("model", "equals", "gpt"),
        ("model", "contains", "p"),
        ("tags", "contains", "a"),
        ("model", "in", ["gpt", "other"]),
        ("metadata.n", "greater_than", 2),
        ("metadata.n", "greater_than_or_equal", 3),
        ("metadata.n", "less_than", 3.5),
        ("metadata.n", "less_than_or_equal", 3),
        ("metadata.n", "between", [3, 4]),
        ("created_at", "between", ["2026-01-01", "2026-02-01"]),
        ("output.usage.total_tokens", "equals", 10),
        ("metadata.dotted.name.x", "equals", 1),
        ("metadata.topic", "exists", None),
        ("metadata.empty", "not_exists", None),
        ("metadata.none", "not_exists", None),
        ("metadata.none", "not_equals", "sums"),
    ],
)
def test_a_filter_holds_for_what_it_says(key, operator, value):
    assert found(key, operator, value)
    assert not found(f"{key}.beyond", operator.removeprefix("not_"), value)


@pytest.mark.parametrize("operator", ["greater_than", "less_than", "contains", "between"])
def test_values_of_unlike_types_are_in_no_relation(operator):
    assert not found("metadata.n", operator, ["a", "b"])
    assert not found("metadata", operator, [1, 2])


@given(key=st.sampled_from(["model", "tags", "metadata", "metadata.n", "none.at.all"]), value=values)
@pytest.mark.parametrize(("operator", "opposite"), OPPOSITES)
def test_of_an_operator_and_its_opposite_just_one_holds(operator, opposite, key, value):
    assert found(key, operator, value) is not found(key, opposite, value)
    assert found(key, operator, value) is found(key, operator, value)
