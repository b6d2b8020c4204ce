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


def corpus_bleu(sentences: Iterable[BleuCounts]) -> float:
    """Return the BLEU of a corpus from the counts of its sentences in any order, from 0 to 100."""
    return _bleu(_added(sentences))


def bleu_without_each(parts: Iterable[Iterable[BleuCounts]]) -> list[float]:
    """Return the BLEU of a corpus without each of its parts in turn, from 0 to 100."""
    each = [_added(part) for part in parts]
    whole = _added(each)
    return [_bleu(_less(whole, part)) for part in each]


def _bleu(corpus: BleuCounts) -> float:
    return (
        _scorer()
        .compute_bleu(
            correct=[*corpus.counts],
            total=[*corpus.totals],
            sys_len=corpus.sys_len,
            ref_len=corpus.ref_len,
            smooth_method="exp",
        )
        .score
    )


def _added(parts: Iterable[BleuCounts]) -> BleuCounts:
    rows = list(parts)
    return BleuCounts(
        [sum(column) for column in zip(*(row.counts for row in rows), strict=True)],
        [sum(column) for column in zip(*(row.totals for row in rows), strict=True)],
        sum(row.sys_len for row in rows),
        sum(row.ref_len for row in rows),
    )


def _less(whole: BleuCounts, part: BleuCounts) -> BleuCounts:
    return BleuCounts(
        [total - own for total, own in zip(whole.counts, part.counts, strict=True)],
        [total - own for total, own in zip(whole.totals, part.totals, strict=True)],
        whole.sys_len - part.sys_len,
        whole.ref_len - part.ref_len,
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
