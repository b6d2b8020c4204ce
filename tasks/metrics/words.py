"""The words of an answer as SQuAD's evaluation compares them.

Source: the official evaluation script of SQuAD 2.0 (Rajpurkar et al. 2018): lower case, then no ASCII punctuation,
then no English articles, then single spaces.
"""

import re
import string

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def answer_words(text: str) -> list[str]:
    """Return the words of an answer, without case, punctuation and articles."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()
