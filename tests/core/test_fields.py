import pytest
from pydantic import ValidationError

from core.endpoint import Frozen
from core.errors import first_problem
from core.fields import TAGS
from core.spec import EvaluationSpec


class Inner(Frozen):
    left: str = ""
    right: str = ""


class Outer(Frozen):
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"inner": {"lefft": "a"}}, "inner.lefft: there is no such field; is 'left' meant?"),
        ({"inner": {"x": "a"}}, "inner.x: there is no such field; fields: left, right"),
        ({"{inner}": 1}, "{inner}: there is no such field; is 'inner' meant?"),
    ],
)
def test_a_field_that_there_is_not_is_named_with_the_nearest_or_those_there_are(given, told):
    with pytest.raises(ValidationError) as refused:
        Outer.model_validate(given)
    assert first_problem(refused.value) == told


def test_all_such_fields_are_named_and_their_values_are_not():
    with pytest.raises(ValidationError) as refused:
        Inner.model_validate({"a": "sk-secret", "b": 1})
    assert [error["loc"] for error in refused.value.errors()] == [("a",), ("b",)]
    assert "sk-secret" not in str(refused.value)


def test_an_instance_is_taken_as_it_is():
    assert Outer.model_validate({"inner": Inner(left="a")}).inner.left == "a"


def test_the_schema_asks_for_the_tags_without_which_a_value_is_refused():
    parts = EvaluationSpec.model_json_schema()["$defs"]
    tagged = {
        (name, tag)
        for name, part in parts.items()
        for tag in TAGS
        if "const" in part.get("properties", {}).get(tag, {})
    }
    assert {("RowsDataset", "kind"), ("JsonParser", "type"), ("StringCheck", "type")} <= tagged
    assert all(tag in parts[name]["required"] for name, tag in tagged)
