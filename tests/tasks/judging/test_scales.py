import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.metric import JsonParser, Labels, Parsed, Preference, Range, Scale, WordParser
from tasks.judging.scales import instruction, reply_schema
from tasks.judging.verdict import read_verdict

LABELS = Labels(labels=("good", 'so "so"'), passing=("good",))
RANGE = Range(minimum=1, maximum=7.5, threshold=4)
NUMBERS = Parsed(
    scores={
        "right": JsonParser(path="right", minimum=0, maximum=1, whole=True),
        "long": JsonParser(path="words", minimum=1),
        "any": JsonParser(path="any"),
    }
)
TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("scale", "properties"),
    [
        (LABELS, {"feedback": TEXT, "label": {"type": "string", "enum": ["good", 'so "so"']}}),
        (RANGE, {"feedback": TEXT, "score": {"type": "number", "minimum": 1, "maximum": 7.5}}),
        (Preference(), {"feedback": TEXT, "choice": {"type": "string", "enum": ["A", "Tie", "B"]}}),
        (
            NUMBERS,
            {
                "right": {"type": "integer", "minimum": 0, "maximum": 1},
                "words": {"type": "number", "minimum": 1},
                "any": {"type": "number"},
            },
        ),
    ],
)
def test_a_reply_has_just_these_members_and_all_of_them(scale: Scale, properties: dict[str, Any]) -> None:
    schema = reply_schema(scale)
    assert schema is not None
    assert schema["properties"] == properties
    assert schema["required"] == list(properties)
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)


@pytest.mark.parametrize(
    ("scale", "members"),
    [
        (LABELS, ['"feedback": a text with your reasons', '"label": one of "good", "so \\"so\\""']),
        (RANGE, ['"feedback": a text with your reasons', '"score": a number from 1 to 7.5']),
        (
            Preference(),
            [
                '"feedback": a text with your reasons',
                '"choice": "A" if response A is better, "B" if response B is better, "Tie" if neither is',
            ],
        ),
        (NUMBERS, ['"right": a whole number from 0 to 1', '"words": a number from 1', '"any": a number']),
    ],
)
def test_the_instruction_says_what_the_schema_does(scale: Scale, members: list[str]) -> None:
    first, *others = instruction(scale).split("\n- ")
    assert first == "Reply with one JSON object and nothing else. It has exactly these keys:"
    assert others == members


def test_a_reply_that_is_read_as_free_text_is_not_told_its_form() -> None:
    scale = Parsed(scores={"a": JsonParser(path="a"), "b": WordParser(values={"yes": 1.0})})
    assert reply_schema(scale) is None
    assert instruction(scale) == ""


def test_two_scores_of_one_key_ask_for_what_both_can_read() -> None:
    scale = Parsed(scores={"a": JsonParser(path="n", whole=True), "b": JsonParser(path="n", maximum=5)})
    schema: Any = reply_schema(scale)
    assert schema["properties"] == {"n": {"type": "integer", "maximum": 5}}
    assert instruction(scale).endswith('\n- "n": a whole number to 5')


NAMES = st.text(min_size=1, max_size=6)
FINITE = st.floats(-1e100, 1e100)
BOUNDS = st.tuples(FINITE, FINITE)


@st.composite
def json_parsers(draw: st.DrawFn, path: str) -> JsonParser:
    whole = draw(st.booleans())
    bounds = draw(st.tuples(st.integers(-9, 9), st.integers(-9, 9)) if whole else BOUNDS)
    minimum, maximum = draw(st.sampled_from([min(bounds), None])), draw(st.sampled_from([max(bounds), None]))
    return JsonParser(path=path, minimum=minimum, maximum=maximum, whole=whole)


@st.composite
def parsed(draw: st.DrawFn) -> Parsed:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    return Parsed(scores={name: draw(json_parsers(name)) for name in names})


SCALES = st.one_of(
    st.lists(NAMES, min_size=2, max_size=4, unique=True).map(lambda names: Labels(labels=names, passing=names[:1])),
    BOUNDS.map(lambda bounds: Range(minimum=min(bounds), maximum=max(bounds), threshold=0)),
    st.just(Preference()),
    parsed(),
)


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return what keeps to the schema of one member."""
    match schema:
        case {"enum": words}:
            return st.sampled_from(words)
        case {"type": "string"}:
            return st.text()
        case {"type": "integer"}:
            return st.integers(int(schema.get("minimum", -(10**15))), int(schema.get("maximum", 10**15)))
    return st.floats(schema.get("minimum", -1e100), schema.get("maximum", 1e100))


@given(SCALES, st.data())
def test_a_reply_that_keeps_to_the_schema_can_be_read(scale: Scale, data: st.DataObject) -> None:
    schema: Any = reply_schema(scale)
    reply = {name: data.draw(values(member)) for name, member in schema["properties"].items()}
    verdicts = read_verdict(scale, json.dumps(reply))
    assert verdicts
    assert all(verdict is not None for verdict in verdicts.values())
    assert all(json.dumps(name, ensure_ascii=False) in instruction(scale) for name in reply)
