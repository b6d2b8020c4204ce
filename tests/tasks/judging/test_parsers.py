import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SpecInvalid
from core.metric import FirstParser, JsonParser, Parser, RegexParser, WordParser
from tasks.judging.parsers import compile_pattern, find_number
from tasks.judging.prose import Unread
from tasks.judging.statement import Statement


def found(parser: Parser, text: str) -> float | None:
    """Return the number that is found, with None for a reason."""
    number = find_number(parser, Statement(text))
    return None if isinstance(number, Unread) else number


WITHIN = JsonParser(path="n", minimum=0, maximum=1)
WHOLE = JsonParser(path="n", whole=True)
WORD = WordParser(values={"TRUE": 1.0, "FALSE": 0.0})
SCORE, RESULT = JsonParser(path="score"), JsonParser(path="result")
FIRST = FirstParser(parsers=(SCORE, RESULT, WORD, RegexParser(pattern=r"(-?[0-9.]+)", method="search")))


@pytest.mark.parametrize(
    ("parser", "text", "number"),
    [
        (WITHIN, '{"n": 0.5}', 0.5),
        (WITHIN, '{"n": 1.5}', 1.0),
        (WITHIN, '{"n": -3}', 0.0),
        (WITHIN, '{"n": true}', 1.0),
        (WITHIN, '{"n": "0.5"}', None),
        (WITHIN, '{"n": null}', None),
        (JsonParser(path="n", minimum=2), '{"n": 1}', 2.0),
        (JsonParser(path="n", minimum=2), '{"n": 9}', 9.0),
        (WHOLE, '{"n": 3}', 3.0),
        (WHOLE, '{"n": 3.0}', 3.0),
        (WHOLE, '{"n": 3.5}', None),
        (WHOLE, '{"n": false}', 0.0),
        (JsonParser(path="n", minimum=0, maximum=1, whole=True), '{"n": 1.7}', None),
        (JsonParser(path="n", minimum=0, maximum=1, whole=True), '{"n": 7}', 1.0),
    ],
)
def test_a_number_beyond_its_bounds_counts_as_the_bound(parser: Parser, text: str, number: float | None) -> None:
    assert found(parser, text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("TRUE", 1.0),
        ("The answer is false.", 0.0),
        ("**True**, not false", 1.0),
        ("untrue", None),
        ("TRUE_ENOUGH", None),
        ("truelove falsehood. FALSE", 0.0),
        ("truelove falsehood FALSE", None),
        ("", None),
        ("yes", None),
    ],
)
def test_the_first_whole_word_counts_in_any_case(text: str, number: float | None) -> None:
    assert found(WORD, text) == number
    assert found(FirstParser(parsers=(SCORE, WORD)), text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Correct.", 1.0),
        ("**Correct**. No errors were found.", 1.0),
        ("No, the answer is incorrect.", 0.0),
        ("It is correct, not incorrect", 1.0),
        ("not perfect, but correct", None),
        ("I would say correct", 1.0),
        ("not correct", None),
        ("This isn't a correct answer", None),
        ("isn’t correct", None),
        ("partially correct", None),
        ("It would be correct if 2 + 2 were 5", None),
        ("Correct: no", None),
        ('{"correct": false}', None),
        ("anything but correct", None),
        ("non-correct", None),
        ("correct or incorrect?", None),
        ("The evidence suggests correct … Final verdict: NOT CORRECT", None),
        ("Is it correct? The answer says correct; I find it not correct.", None),
    ],
)
def test_a_word_that_is_negated_hedged_or_contradicted_is_no_verdict(text: str, number: float | None) -> None:
    assert found(WordParser(values={"correct": 1.0, "incorrect": 0.0}), text) == number


def test_no_before_a_noun_is_no_verdict() -> None:
    parser = WordParser(values={"yes": 1.0, "no": 0.0})
    assert found(parser, "No.") == 0.0
    assert found(parser, "No, it is not.") == 0.0
    assert found(parser, "There are no errors.") is None


@pytest.mark.parametrize(
    "pattern", [RegexParser(pattern=r"SCORE: (\d)"), RegexParser(pattern=r"^SCORE: (\d)", method="search")]
)
def test_a_pattern_that_would_fit_further_on_says_so(pattern: RegexParser) -> None:
    number = find_number(pattern, Statement("My verdict. SCORE: 3"))
    assert isinstance(number, Unread)
    assert "further on it does ('SCORE: 3')" in number.reason
    assert "further on" not in str(find_number(pattern, Statement("none")))


def test_a_contradiction_is_not_left_to_the_next_parser_to_decide() -> None:
    assert found(FIRST, '{"score": 5} {"score": 1} TRUE') is None
    assert found(FIRST, "TRUE, or is it FALSE? 7") is None
    assert found(FIRST, "Rating: 8/10") is None


def test_of_words_that_begin_alike_the_longer_counts() -> None:
    parser = WordParser(values={"good": 1.0, "good enough": 0.5, "c++ (fine)": 2.0, "Straße": 3.0})
    assert found(parser, "Good enough!") == 0.5
    assert found(parser, "good, enough") is None
    assert found(parser, "it is C++ (fine)") == 2.0
    assert found(parser, "STRAßE") == 3.0


def test_a_word_that_is_worth_no_finite_number_is_none() -> None:
    assert found(WordParser(values={"best": float("inf")}), "best") is None
    assert found(WordParser(values={"none": float("nan"), "low": 1e-9}), "none; low") is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('{"score": 7}', 7.0),
        ('{"result": true}', 1.0),
        ('{"score": "high", "result": false}', None),
        ('{"verdict": "TRUE"}', 1.0),
        ("I would say FALSE: it is Rome.", 0.0),
        ("Rating: 8", 8.0),
        ("I cannot tell.", None),
    ],
)
def test_the_first_parser_that_finds_a_number_gives_it(text: str, number: float | None) -> None:
    assert found(FIRST, text) == number


@given(st.text(), st.sampled_from([WITHIN, WHOLE, WORD, FIRST]))
def test_any_text_gives_a_number_or_none(text: str, parser: Parser) -> None:
    number = found(parser, text)
    assert number is None or isinstance(number, float)
    assert found(FirstParser(parsers=(WITHIN, WORD)), text) in (found(WITHIN, text), found(WORD, text), None)


@pytest.mark.parametrize("pattern", ["(", "(?=a)(b)", r"(a)\1", "no group"])
def test_a_pattern_that_cannot_give_a_number_is_refused(pattern: str) -> None:
    with pytest.raises(SpecInvalid) as refused:
        compile_pattern(pattern)
    assert repr(pattern) in refused.value.message
    assert refused.value.blame == "user"


TEXTS = st.text(max_size=8)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | TEXTS,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(TEXTS, part, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(TEXTS, JSON_VALUES, min_size=1, max_size=3), st.text(alphabet="abc {}.\n"))
def test_an_object_is_found_whole_in_prose(value: dict[str, object], prose: str) -> None:
    text = f"{prose}{json.dumps(value)} {prose}"
    assert [each for *_, each in Statement(text).objects[0]] == [value]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"(\pL{100})", "larger than 10,000 instructions"),
        (r"(\pL{1000})", "larger than 10,000 instructions"),
        ("(" + "|".join(f"a{{{n}}}b" for n in range(1, 900)) + ")", "larger than 10,000 instructions"),
        ("((a{100}){100})", "invalid repetition size"),
        ("(((a{100}){100}){100})", "not valid RE2 syntax"),
        ("(a{1001})", "not valid RE2 syntax"),
        (f"({'a' * 10_000})", "more than 10,000 characters"),
    ],
    ids=range(7),
)
def test_a_pattern_that_repeats_too_much_is_refused_by_name(pattern: str, reason: str) -> None:
    with pytest.raises(SpecInvalid, match="the pattern") as refused:
        compile_pattern(pattern)
    assert reason in refused.value.message
    assert repr(pattern[:100])[:-1] in refused.value.message
    assert len(refused.value.message) < 400


@pytest.mark.parametrize("pattern", ["((a?){1000})", "(((a?){30}){30})", "((?:a|b)*c?){500}", "(a)(?s:.*z)?", "()"])
@pytest.mark.parametrize("method", ["search", "match"])
def test_no_reply_is_searched_for_ever(pattern: str, method: Literal["search", "match"]) -> None:
    searched = find_number(RegexParser(pattern=pattern, method=method), Statement("a" * 100_000 + "\na" * 100_000))
    assert isinstance(searched, Unread)


def test_a_reply_says_that_it_is_too_long_for_a_pattern() -> None:
    found = find_number(RegexParser(pattern="((a?){1000})", method="search"), Statement("a" * 100_000))
    assert found == Unread("is too long, with 100,000 characters, for '((a?){1000})'")
    found = find_number(RegexParser(pattern="SCORE: ([0-9])", method="search"), Statement("x" * 100_000 + "SCORE: 3"))
    assert found == 3
