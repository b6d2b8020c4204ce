import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.metrics.function_calls import read_calls, same
from tasks.metrics.measure import Unparsable
from tasks.metrics.tool_calling import tool_calling

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)
CALLS = st.lists(
    st.tuples(st.sampled_from("fgh"), st.dictionaries(st.sampled_from("xyz"), JSON, max_size=2)), max_size=4
)


def made(*calls: tuple[str, Any]) -> str:
    """Calls as a model makes them: arguments are JSON texts."""
    return json.dumps(
        [{"id": "c", "type": "function", "function": {"name": n, "arguments": json.dumps(a)}} for n, a in calls]
    )


def wanted(*calls: tuple[str, Any]) -> str:
    """Calls as datasets have them: arguments are objects."""
    return json.dumps([{"function": {"name": name, "arguments": arguments}} for name, arguments in calls])


def completion(calls: str) -> str:
    """Calls as they stand in a recorded chat completion."""
    return f'{{"choices": [{{"message": {{"role": "assistant", "content": null, "tool_calls": {calls}}}}}]}}'


@pytest.mark.parametrize(
    ("candidate", "reference", "expected"),
    [
        (made(("f", {"x": 1})), wanted(("f", {"x": 1})), (1.0, 1.0)),
        (made(("f", {"x": 1.0, "y": [{"a": 2}]})), wanted(("f", {"y": [{"a": 2}], "x": 1})), (1.0, 1.0)),
        (made(("f", {"x": 2})), wanted(("f", {"x": 1})), (1.0, 0.0)),
        (completion(made(("f", {"x": 1}))), wanted(("f", {"x": 1})), (1.0, 1.0)),
        (completion("null"), wanted(("f", {"x": 1})), (0.0, 0.0)),
        (completion("null"), "[]", (1.0, 1.0)),
        (f'{{"role": "assistant", "tool_calls": {made(("f", {"x": 2}))}}}', wanted(("f", {"x": 1})), (1.0, 0.0)),
        (made(("f", {"x": "Rome"})), wanted(("f", {"x": "rome"})), (1.0, 0.0)),
        (made(("f", {"x": True})), wanted(("f", {"x": 1})), (1.0, 0.0)),
        (made(("f", {"x": [1, 2]})), wanted(("f", {"x": [2, 1]})), (1.0, 0.0)),
        (made(("F", {})), wanted(("f", {})), (0.0, 0.0)),
        (made(("g", {}), ("f", {"x": 1})), wanted(("f", {"x": 1}), ("g", {})), (1.0, 1.0)),
        (made(("f", {}), ("f", {})), wanted(("f", {})), (0.0, 0.0)),
        (made(("f", {"x": 1}), ("f", {"x": 1})), wanted(("f", {"x": 1}), ("f", {"x": 2})), (1.0, 0.0)),
        ("[]", wanted(("f", {})), (0.0, 0.0)),
        ("", "[]", (1.0, 1.0)),
        (made(("f", {})), '{"name": "f"}', (1.0, 1.0)),
    ],
)
def test_names_and_arguments_are_compared(candidate: str, reference: str, expected: tuple[float, float]) -> None:
    assert tool_calling(candidate, reference) == expected


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        ("[{", "it is not JSON"),
        ("[1]", "a function call has no name"),
        ("false", "a function call has no name"),
        ("{}", "a function call has no name"),
        ('[{"function": {"arguments": "{}"}}]', "a function call has no name"),
    ],
)
def test_calls_that_cannot_be_read_are_not_scored(candidate: str, message: str) -> None:
    with pytest.raises(Unparsable, match=message) as caught:
        tool_calling(candidate, "[]")
    assert caught.value.part == "candidate"
    with pytest.raises(Unparsable) as caught:
        tool_calling("[]", candidate)
    assert caught.value.part == "reference"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [('"{\\"x\\": "', "the arguments of 'f' are not JSON"), ('"[1]"', "the arguments of 'f' are not an object")],
)
@pytest.mark.parametrize(("wanted_name", "expected"), [("f", 1.0), ("g", 0.0)])
def test_where_arguments_cannot_be_read_the_names_count_alone(
    arguments: str, message: str, wanted_name: str, expected: float
) -> None:
    names, both = tool_calling(
        f'[{{"function": {{"name": "f", "arguments": {arguments}}}}}]', wanted((wanted_name, {}))
    )
    assert names == expected
    assert isinstance(both, Unparsable)
    assert (str(both).partition(":")[0], both.part) == (message, "candidate")


@given(CALLS, st.randoms(use_true_random=False))
def test_the_order_of_calls_is_free(calls: list[tuple[str, dict[str, Any]]], chance: random.Random) -> None:
    shuffled = chance.sample(calls, len(calls))
    assert tool_calling(made(*calls), wanted(*shuffled)) == (1.0, 1.0)
    assert [call.arguments for call in read_calls("candidate", made(*calls))] == [a for _, a in calls]


@given(CALLS, CALLS)
def test_the_same_arguments_are_never_without_the_same_names(first: Any, second: Any) -> None:
    names, arguments = tool_calling(made(*first), wanted(*second))
    assert not isinstance(arguments, Unparsable)
    assert not isinstance(names, Unparsable)
    assert arguments <= names
    assert (names, arguments) == tool_calling(made(*second), wanted(*first))


@given(JSON, JSON)
def test_values_are_the_same_if_their_json_is(first: Any, second: Any) -> None:
    assert same(first, second) == (json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True))
    assert same(first, json.loads(json.dumps(first)))
