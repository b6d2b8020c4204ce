"""ROUGE-N and ROUGE-L: the F-measure of shared n-grams, and of the longest common subsequence.

Source: Lin 2004, as Google's `rouge-score` computes it with its stemmer: words of ASCII letters and digits in lower
case, those of more than three characters stemmed.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from core.metric import Rouge
from tasks.metrics.measure import Measure, Texts
from tasks.metrics.porter import stem

_NO_WORD = re.compile(r"[^a-z0-9]+")
_SHORT = 3


def rouge(candidate: str, reference: str) -> tuple[float, float, float, float]:
    """Return the F-measures of ROUGE-1, ROUGE-2, ROUGE-3 and ROUGE-L. Range 0..1; symmetric."""
    given, wanted = words(candidate), words(reference)
    one, two, three = (_shared_ngrams(given, wanted, n) for n in (1, 2, 3))
    return one, two, three, _f_measure(lcs_length(given, wanted), len(given), len(wanted))


def measure(_metric: Rouge, texts: Texts) -> list[Measure]:
    """Return the scores of an output's texts."""
    return [Measure(value) for value in rouge(**texts)]


def words(text: str) -> list[str]:
    """Return the words of a text, stemmed."""
    found = _NO_WORD.sub(" ", text.lower()).split()
    return [stem(word) if len(word) > _SHORT else word for word in found]


def lcs_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence.

    Bit-parallel (Hyyrö 2004): a row of the usual table is one integer, so that long texts take no quadratic time.
    """
    places: defaultdict[str, int] = defaultdict(int)
    for i, word in enumerate(first):
        places[word] |= 1 << i
    everywhere = (1 << len(first)) - 1
    row = everywhere
    for word in second:
        matches = row & places.get(word, 0)
        row = ((row + matches) | (row - matches)) & everywhere
    return len(first) - row.bit_count()


def _shared_ngrams(given: Sequence[str], wanted: Sequence[str], n: int) -> float:
    first, second = (Counter(zip(*(text[i:] for i in range(n)), strict=False)) for text in (given, wanted))
    return _f_measure((first & second).total(), first.total(), second.total())


def _f_measure(shared: int, given: int, wanted: int) -> float:
    return 2 * shared / (given + wanted) if shared else 0.0
