import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu import corpus_bleu as reference_corpus_bleu
from sacrebleu import sentence_bleu as reference_sentence_bleu
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

from tasks.metrics.bleu import BleuCounts, corpus_bleu, sentence_bleu
from tests.tasks.metrics.pairs import pairs

TEXT = st.text(st.sampled_from("ab c.1你😀"), max_size=20)


def test_sentences_and_their_corpus_score_as_sacrebleu_has_it() -> None:
    counts = []
    for candidate, reference in pairs():
        score, of_sentence = sentence_bleu(candidate, [reference])
        assert score == reference_sentence_bleu(candidate, [reference]).score
        counts.append(of_sentence)
    candidates, references = zip(*pairs(), strict=True)
    whole = reference_corpus_bleu(candidates, [references]).score
    assert corpus_bleu(counts) == whole
    assert 10 < whole < 90
    random.Random(0).shuffle(counts)
    assert corpus_bleu(counts) == whole


def test_the_best_of_several_references_counts_and_the_closest_length() -> None:
    several = ["the cat sat on a mat", "there is a cat on the mat today"]
    score, counts = sentence_bleu("the cat sat on the mat", several)
    assert score == reference_sentence_bleu("the cat sat on the mat", several).score
    assert score > sentence_bleu("the cat sat on the mat", several[:1])[0]
    # One `the` of two; `on the mat` is in the second alone.
    assert counts == BleuCounts([5, 5, 3, 1], [6, 5, 4, 3], 6, 6)


def test_no_text_is_remembered() -> None:
    sentence_bleu("something said once", ["something said once"])
    assert Tokenizer13a.__call__.cache_info().currsize == 0


@given(TEXT, st.lists(TEXT, min_size=1, max_size=3))
def test_it_is_from_0_to_100_and_100_for_a_reference_itself(candidate: str, references: list[str]) -> None:
    score, counts = sentence_bleu(candidate, references)
    assert 0 <= score <= 100 + 1e-9
    same, _ = sentence_bleu(candidate, [*references, candidate])
    assert same == pytest.approx(100 if counts.sys_len else 0)
