import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.metrics.bleu import BleuCounts, corpus_bleu
from tasks.metrics.bleu_jackknife import bleu_without_each


@st.composite
def counts(draw: st.DrawFn) -> BleuCounts:
    totals = sorted(draw(st.lists(st.integers(0, 9), min_size=4, max_size=4)), reverse=True)
    matched = [draw(st.integers(0, total)) for total in totals]
    return BleuCounts(matched, totals, totals[0], draw(st.integers(0, 12)))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abc"), counts()), min_size=2, max_size=8))
def test_the_corpus_without_each_unit_is_that_of_the_rest(rows: list[tuple[str, BleuCounts]]) -> None:
    units, of_rows = zip(*rows, strict=True)
    for unit, without in zip(dict.fromkeys(units), bleu_without_each(units, of_rows), strict=True):
        rest = [row for of, row in rows if of != unit]
        assert without == pytest.approx(corpus_bleu(rest) if rest else 0.0, rel=1e-9, abs=1e-12)
