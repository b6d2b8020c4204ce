from typing import Any

import pytest
from pydantic import ValidationError

from core.endpoint import Endpoint, Prompt
from core.metric import (
    Accuracy,
    Bleu,
    Code,
    FirstParser,
    JsonParser,
    Judge,
    Labels,
    Parsed,
    Parser,
    Preference,
    Range,
    RegexParser,
    Scale,
    WordParser,
)
from core.scale import ends_of, scale_of

WORDS = WordParser(values={"bad": -1, "good": 2, "fair": 0.5})
BOUNDED = JsonParser(path="s", minimum=0, maximum=10)


def judge(scale: Scale) -> Judge:
    return Judge(name="m", endpoint=Endpoint(model="j"), prompt=Prompt(body={"prompt": "?"}), scale=scale)


def code(**fields: Any) -> Code:
    return Code(name="m", source="", item={}, **fields)


def test_a_computed_metric_is_a_share_but_for_bleu_as_it_is_printed() -> None:
    assert scale_of(Accuracy(name="m", reference="b"), "accuracy") == (0, 1)
    assert scale_of(Bleu(name="m", references=("b",), score="bleu"), "bleu") == (0, 1)
    printed = Bleu(name="m", references=("b",))
    assert {scale_of(printed, name) for name in ("sentence", "corpus")} == {(0, 100)}


@pytest.mark.parametrize(
    ("scale", "name", "expected"),
    [
        (Labels(labels=("a", "b"), passing=("a",)), "label", (0, 1)),
        (Preference(), "choice", (0, 1)),
        (Range(minimum=1, maximum=5, threshold=3), "score", (1, 5)),
        (Range(minimum=3, maximum=3, threshold=3), "score", None),
    ],
)
def test_a_judge_has_the_scale_that_it_is_told(scale: Scale, name: str, expected: object) -> None:
    assert scale_of(judge(scale), name) == expected


@pytest.mark.parametrize(
    ("parser", "expected"),
    [
        (BOUNDED, (0, 10)),
        (JsonParser(path="s", minimum=0), None),
        (JsonParser(path="s", minimum=0, maximum=float("inf")), None),
        (WORDS, (-1, 2)),
        (WordParser(values={"yes": 1}), None),
        (RegexParser(pattern=r"(\d)"), None),
        (FirstParser(parsers=(BOUNDED, WORDS)), (-1, 10)),
        (FirstParser(parsers=(BOUNDED, RegexParser(pattern=r"(\d)"))), None),
    ],
)
def test_a_parsed_score_has_the_scale_of_what_its_parser_can_find(parser: Parser, expected: object) -> None:
    other = Parsed(scores={"other": BOUNDED, "s": parser})
    assert scale_of(judge(other), "s") == expected
    assert scale_of(judge(other), "other") == (0, 10)


def test_code_has_the_scale_that_it_says() -> None:
    assert scale_of(code(), "score") is None
    assert scale_of(code(scale=[-1, 1]), "score") == (-1, 1)
    for scale in ([1, 1], [2, 1], [0, float("inf")], [0], [0, 1, 2]):
        with pytest.raises(ValidationError, match="scale"):
            code(scale=scale)


@pytest.mark.parametrize(
    ("parser", "expected"),
    [
        (JsonParser(path="s", minimum=0), (0, None)),
        (JsonParser(path="s", maximum=10), (None, 10)),
        (FirstParser(parsers=(JsonParser(path="s", minimum=0), WORDS)), (-1, None)),
        (FirstParser(parsers=(BOUNDED, RegexParser(pattern="(.)"))), (None, None)),
        (WORDS, (-1, 2)),
    ],
)
def test_one_end_may_be_known_alone(parser: Parser, expected: object) -> None:
    assert ends_of(judge(Parsed(scores={"s": parser})), "s") == expected
