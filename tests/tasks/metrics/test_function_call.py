import json
from typing import Any

import pytest

from tasks.metrics.function_call import function_call
from tasks.metrics.measure import Unparsable
from tests.tasks.metrics.test_tool_calling import made

AREA = [{"area": {"base": [10], "height": [5, 5.5], "unit": ["units", ""]}}]
"""A possible answer in the leaderboard's shape: `unit` may be left out."""

TRIP = [
    {
        "trip.plan": {
            "stops": [["Rome", "New York"]],
            "when": [{"day": ["April 1, 2024"], "time": ["noon", ""]}],
            "legs": [[{"km": [3]}, {"km": [4]}]],
        }
    }
]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"base": 10, "height": 5}, 1.0),
        ({"base": 10, "height": 5.5, "unit": "Units"}, 1.0),
        ({"base": 10.0, "height": 5}, 1.0),
        ({"base": "10", "height": 5}, 0.0),
        ({"base": True, "height": 5}, 0.0),
        ({"base": 10}, 0.0),
        ({"base": 10, "height": 6}, 0.0),
        ({"base": 10, "height": 5, "unit": "cm"}, 0.0),
        ({"base": 10, "height": 5, "colour": "red"}, 0.0),
        ({}, 0.0),
    ],
)
def test_every_argument_has_one_of_its_possible_values(arguments: dict[str, Any], expected: float) -> None:
    assert function_call(made(("area", arguments)), json.dumps(AREA)) == expected


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [("", 1.0), ("[]", 1.0), (made(("area", {})), 0.0), ('[{"name": "area", "arguments": "{bad"}]', 1.0)],
)
def test_where_no_function_fits_no_call_is_right(candidate: str, expected: float) -> None:
    assert function_call(candidate, "[]") == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, 1.0),
        ({"stops": ["rome", "NewYork"]}, 1.0),
        ({"stops": ["New York", "Rome"]}, 0.0),
        ({"stops": "Rome"}, 0.0),
        ({"when": {"day": "April 1 2024", "time": "noon"}}, 1.0),
        ({"when": {"time": "noon"}}, 0.0),
        ({"legs": [{"km": 3}]}, 0.0),
        ({"legs": [{"km": 4}, {"km": 3}]}, 0.0),
    ],
)
def test_nested_values_are_compared_by_structure(changed: dict[str, Any], expected: float) -> None:
    right = {"stops": ["Rome", "New York"], "when": {"day": "april 1,2024"}, "legs": [{"km": 3}, {"km": 4}]}
    assert function_call(made(("trip_plan", right | changed)), json.dumps(TRIP)) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"stop": {"place": {"x": 10.5}}, "unit": "km", "span": {"between": [1, 10]}}, 1.0),
        ({"stop": {"place": {"x": 11.5}}, "unit": "km", "span": {"between": [1, 10]}}, 0.0),
        ({"stop": {"place": {"x": 10.5}}, "unit": "k", "span": {"between": [1, 10]}}, 0.0),
        ({"stop": {"place": {"x": 10.5}}, "unit": "km", "span": {"between": [10, 1]}}, 0.0),
        ({"stop": {"place": {}}, "unit": "km", "span": {"between": [1, 10]}}, 0.0),
    ],
)
def test_a_member_may_have_its_value_itself_instead_of_a_list_of_values(
    arguments: dict[str, Any], expected: float
) -> None:
    # live_multiple_121-46-0 has numbers, simple_java_64 texts where others have lists
    trip = [{"plan": {"stop": [{"place": [{"x": 10.5}]}], "unit": "km", "span": [{"between": [1, 10]}]}}]
    assert function_call(made(("plan", arguments)), json.dumps(trip)) == expected


def test_it_is_one_call_of_the_function() -> None:
    call = ("area", {"base": 10, "height": 5})
    assert function_call(made(call, call), json.dumps(AREA)) == 0.0
    assert function_call("[]", json.dumps(AREA)) == 0.0
    assert function_call(made(("volume", call[1])), json.dumps(AREA)) == 0.0


@pytest.mark.parametrize("reference", ["", "null", "[1]", '[{"f": {}, "g": {}}]', '[{"f": 1}]', "[{}, {}]"])
def test_an_answer_of_another_shape_is_not_scored_against(reference: str) -> None:
    with pytest.raises(Unparsable, match="it is not a list of one function") as caught:
        function_call(made(("area", {})), reference)
    assert caught.value.part == "reference"
