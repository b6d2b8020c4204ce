"""F1 over words: how far do two answers share theirs? Source: SQuAD 2.0 (Rajpurkar et al. 2018)."""

from collections import Counter

from core.metric import F1
from tasks.metrics.measure import Measure, Texts
from tasks.metrics.words import answer_words


def f1(candidate: str, reference: str) -> float:
    """Return the F1 of the words of two texts, each counted as often as it stands. Range 0..1.

    Two answers without words agree; one without words shares nothing with another.
    """
    given, wanted = answer_words(candidate), answer_words(reference)
    if not given or not wanted:
        return float(given == wanted)
    shared = (Counter(given) & Counter(wanted)).total()
    return 2 * shared / (len(given) + len(wanted))


def measure(_metric: F1, texts: Texts) -> list[Measure]:
    """Return the scores of an output's texts."""
    return [Measure(f1(**texts))]
