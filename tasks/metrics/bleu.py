"""BLEU: the overlap of n-grams with references, times a penalty for brevity.

Source: Papineni et al. 2002, as sacrebleu computes it by default (Post 2018): tokenizer 13a, exponential smoothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import orjson

from core.metric import Bleu
from tasks.metrics.measure import Measure, Texts

# sacrebleu is imported on first use: it takes 12 MB of every worker, and few jobs need it.
if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU


@dataclass(frozen=True, slots=True)
class BleuCounts:
    """What BLEU is computed from, by n-gram order: `counts` matched of `totals`; lengths in tokens."""

    counts: Sequence[int]
    totals: Sequence[int]
    sys_len: int
    ref_len: int


def sentence_bleu(candidate: str, references: Sequence[str]) -> tuple[float, BleuCounts]:
    """Return the BLEU of a sentence, from 0 to 100, and the counts that it adds to those of its corpus.

    Orders for which the candidate is too short are left out, as sacrebleu advises for sentences.
    """
    score = _scorer().sentence_score(candidate, references)
    _forget_texts()
    return score.score, BleuCounts(score.counts, score.totals, score.sys_len, score.ref_len)


def measure(metric: Bleu, texts: Texts) -> list[Measure]:
    """Return the score of an output's texts, with the counts for that of the corpus as its detail."""
    value, counts = sentence_bleu(texts["candidate"], [texts[part] for part in texts if part != "candidate"])
    return [Measure(value / 100 if metric.score else value, detail=orjson.dumps(counts).decode())]


def share_of(metric: Bleu) -> float:
    """Return what a BLEU from 0 to 100 is multiplied by to be on a metric's scale."""
    return 0.01 if metric.score else 1.0


def corpus_bleu(sentences: Iterable[BleuCounts]) -> float:
    """Return the BLEU of a corpus from the counts of its sentences in any order, from 0 to 100."""
    rows = list(sentences)
    return (
        _scorer()
        .compute_bleu(
            correct=[sum(column) for column in zip(*(row.counts for row in rows), strict=True)],
            total=[sum(column) for column in zip(*(row.totals for row in rows), strict=True)],
            sys_len=sum(row.sys_len for row in rows),
            ref_len=sum(row.ref_len for row in rows),
            smooth_method="exp",
        )
        .score
    )


@cache
def _scorer() -> "BLEU":
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(effective_order=True)


def _forget_texts() -> None:
    """Clear the tokenizers' memories, of 65,536 texts of any length each for the life of the process."""
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
    from sacrebleu.tokenizers.tokenizer_re import TokenizerRegexp

    Tokenizer13a.__call__.cache_clear()
    TokenizerRegexp.__call__.cache_clear()
