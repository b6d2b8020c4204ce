import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.metrics.rouge import lcs_length, rouge, words
from tests.tasks.metrics.pairs import pairs

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the reference implementation's own dependencies
    from rouge_score.rouge_scorer import RougeScorer

WORDS = st.lists(st.sampled_from(["cat", "cats", "mat", "你好", "the", "42"]), max_size=12)
ITEMS = st.lists(st.sampled_from("abc"), max_size=80)


def test_it_scores_as_rouge_score_has_it() -> None:
    scorer = RougeScorer(["rouge1", "rouge2", "rouge3", "rougeL"], use_stemmer=True)
    seen = set()
    for candidate, reference in pairs():
        expected = [score.fmeasure for score in scorer.score(reference, candidate).values()]
        scores = rouge(candidate, reference)
        assert scores == pytest.approx(expected, abs=1e-12)
        seen.add(scores)
    assert len(seen) > 500


def test_words_are_stemmed_ascii_letters_and_digits() -> None:
    assert words("The CATS' running, 你好 x_1 naïve flies") == ["the", "cat", "run", "x", "1", "na", "ve", "fli"]
    assert words("你好 😀 مرحبا") == []
    assert rouge("你好", "你好") == (0.0, 0.0, 0.0, 0.0)


@given(WORDS, WORDS)
def test_it_is_symmetric_bounded_and_1_for_the_same_words(first: list[str], second: list[str]) -> None:
    scores = rouge(" ".join(first), " ".join(second))
    assert scores == rouge(" ".join(second), " ".join(first))
    assert all(0.0 <= score <= 1.0 for score in scores)
    same = rouge(" ".join(first), " ".join(first))
    known = len(words(" ".join(first)))
    assert same == tuple(float(known >= least) for least in (1, 2, 3, 1))


@given(ITEMS, ITEMS)
def test_the_longest_common_subsequence_is_that_of_the_usual_table(first: list[str], second: list[str]) -> None:
    row = [0] * (len(second) + 1)
    for item in first:
        row = _next_row(row, item, second)
    assert lcs_length(first, second) == row[-1]
    assert lcs_length(first, first) == len(first)


def _next_row(row: list[int], item: str, second: list[str]) -> list[int]:
    following = [0]
    for j, other in enumerate(second):
        following.append(row[j] + 1 if item == other else max(row[j + 1], following[j]))
    return following
