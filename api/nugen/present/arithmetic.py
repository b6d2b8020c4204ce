"""Nugen's figures: statistics by flat names, and how those of two models compare."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from api.nugen.judging import CORRECTNESS, RELEVANCE
from api.nugen.schema import responses as wire
from core.result import Summary


def statistics_of(summaries: Iterable[Summary]) -> wire.Metrics:
    """Return the statistics of one model's scores; the standard deviation is that of the population."""
    return {
        f"{summary.name}_{name}": value
        for summary in summaries
        for name, value in (
            ("mean", summary.mean),
            ("std", summary.stddev),
            ("min", summary.min),
            ("max", summary.max),
        )
    }


def metrics_of(summaries: Sequence[Summary]) -> wire.Metrics:
    """Return what a model that is evaluated alone came to: its statistics, and five more figures."""
    by_name = {summary.name: summary for summary in summaries}
    correct = by_name[CORRECTNESS]
    return {
        "accuracy": correct.mean,
        "relevance": by_name[RELEVANCE].mean,
        "average_score": correct.mean,
        "total_questions": answers(summaries),
        "correct_answers": int(correct.sum or 0),
        **statistics_of(summaries),
    }


def answers(summaries: Iterable[Summary]) -> int:
    """Return how many answers were asked for, also those that could not be had or graded."""
    return sum(summary.count + summary.nan_count for summary in summaries if summary.name == CORRECTNESS)


def compare(base: Mapping[str, float | None], evaluated: Mapping[str, float | None]) -> wire.Comparison:
    """Compare the statistics of two models, which have the same names."""
    rows = [_compared(name, base[name], evaluated[name]) for name in base]
    improvements = [row.improvement for row in rows if row.improvement is not None]
    if not improvements:
        summary = wire.Improvements(avg_improvement=None, max_improvement=None, min_improvement=None)
    else:
        summary = wire.Improvements(
            avg_improvement=round(fmean(improvements), 2),
            max_improvement=max(improvements),
            min_improvement=min(improvements),
        )
    return wire.Comparison(metrics=rows, summary=summary)


def _compared(name: str, base: float | None, evaluated: float | None) -> wire.ComparedMetric:
    return wire.ComparedMetric(
        metric=name, base=_rounded(base), evaluated=_rounded(evaluated), improvement=_improvement(base, evaluated)
    )


def _improvement(base: float | None, evaluated: float | None) -> float | int | None:
    if base is None or evaluated is None:
        return None
    return round((evaluated - base) / base * 100, 2) if base else 0


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
