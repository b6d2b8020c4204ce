import ast
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from core.patterns import Like

SHORT = Annotated[str, Field(min_length=1, max_length=4), Like("^[a-z]*$", "write it in small letters")]

ROOT = Path(__file__).parents[2]
SHOWN = ("core", "store", "tasks", "flows", "api", "web", "cli")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A", "write it in small letters"),
        ("a\n", "write it in small letters"),
        ("", "String should have at least 1 character"),
        ("ABCDE", "String should have at most 4 characters"),
        (3, "Input should be a valid string"),
    ],
)
def test_what_a_pattern_does_not_fit_is_refused_in_words_and_all_else_as_ever(text: object, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(SHORT).validate_python(text)
    assert [each["msg"] for each in refused.value.errors()] == [said]


def test_a_program_is_shown_the_pattern() -> None:
    shown = {"type": "string", "minLength": 1, "maxLength": 4, "pattern": "^[a-z]*$"}
    assert TypeAdapter(SHORT).json_schema() == shown
    assert TypeAdapter(SHORT).validate_python("abc") == "abc"


def test_no_field_is_refused_by_a_pattern_that_a_person_would_have_to_read() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for folder in SHOWN
        for path in (ROOT / folder).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        if call.func.id in {"StringConstraints", "Field", "Path", "InPath", "Query", "Form", "constr"}
        if any(given.arg == "pattern" for given in call.keywords)
    ]
    assert found == []
