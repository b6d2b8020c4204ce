"""Exact match: are two answers the same words? Source: SQuAD (Rajpurkar et al. 2016)."""

from core.metric import ExactMatch
from tasks.metrics.measure import Measure, Texts, check
from tasks.metrics.words import answer_words


def exact_match(candidate: str, reference: str) -> float:
    """Return 1.0 if both texts are the same words without case, punctuation and articles, else 0.0."""
    return float(answer_words(candidate) == answer_words(reference))


def measure(_metric: ExactMatch, texts: Texts) -> list[Measure]:
    """Return the scores of an output's texts."""
    return [check(exact_match(**texts))]
