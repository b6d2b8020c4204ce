"""Exact match, F1 and accuracy, held against the evaluation script of SQuAD 2.0."""

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.metrics.accuracy import accuracy
from tasks.metrics.exact_match import exact_match
from tasks.metrics.f1 import f1
from tasks.metrics.words import answer_words
from tests.tasks.metrics.pairs import pairs

TEXT = st.text(st.sampled_from("aAn the.,!'\n你😀"), max_size=12)


def normalised(text: str) -> str:
    """Follow SQuAD: lower, remove punctuation, remove articles, fix white space."""
    bare = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def squad_f1(candidate: str, reference: str) -> float:
    given_words, wanted = normalised(candidate).split(), normalised(reference).split()
    if not given_words or not wanted:
        return float(given_words == wanted)
    same = sum((Counter(given_words) & Counter(wanted)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(given_words), same / len(wanted)
    return 2 * precision * recall / (precision + recall)


def test_exact_match_and_f1_are_those_of_squad() -> None:
    for candidate, reference in pairs():
        assert exact_match(candidate, reference) == float(normalised(candidate) == normalised(reference))
        assert f1(candidate, reference) == pytest.approx(squad_f1(candidate, reference), abs=1e-12)


def test_words_are_compared_without_case_and_articles_and_texts_to_the_letter() -> None:
    assert exact_match("The Eiffel Tower!", "eiffel tower") == 1.0
    assert f1("in the year 1969", "1969") == 0.5  # 1 of 3 words, 1 of 1
    assert (f1("", ""), f1("", "x"), f1("x", "y")) == (1.0, 0.0, 0.0)
    assert (accuracy(" yes\n", "yes"), accuracy("Yes", "yes")) == (1.0, 0.0)


@given(TEXT, TEXT)
def test_f1_is_symmetric_and_bounded_and_1_for_an_exact_match(first: str, second: str) -> None:
    score = f1(first, second)
    assert score == f1(second, first)
    assert 0.0 <= score <= 1.0
    assert (exact_match(first, second) == 1.0) == (normalised(first) == normalised(second))
    assert exact_match(first, second) <= score
    assert accuracy(first, second) <= exact_match(first, second)


@given(TEXT)
def test_words_stay_as_they_are_when_taken_again(text: str) -> None:
    words = answer_words(text)
    assert answer_words(" ".join(words)) == words
    assert f1(text, " ".join(words)) == 1.0
