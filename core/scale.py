"""The scale of every score: the least and the greatest value that it can have."""

from collections.abc import Sequence
from math import isfinite
from typing import assert_never

from core.metric import (
    Code,
    Computed,
    FirstParser,
    JsonParser,
    Judge,
    Labels,
    MetricSpec,
    NumberParser,
    Parsed,
    Parser,
    Preference,
    Range,
    RegexParser,
    Scale,
    WordParser,
)
from core.stats.interval import SHARE, ScoreScale


def scale_of(metric: MetricSpec, name: str) -> ScoreScale | None:
    """Return the scale of a metric's score `name`; None if nobody can tell."""
    match metric:
        case Computed():
            return metric.scale
        case Judge():
            return _of_judge(metric.scale, name)
        case Code():
            return ScoreScale(*metric.scale) if metric.scale else None
        case _:
            assert_never(metric)


def ends_of(metric: MetricSpec, name: str) -> tuple[float | None, float | None]:
    """Return the least and the greatest value of a metric's score `name`, of which one may be known alone."""
    if isinstance(metric, Judge) and isinstance(metric.scale, Parsed):
        return _ends(metric.scale.scores[name])
    scale = scale_of(metric, name)
    return (scale.low, scale.high) if scale else (None, None)


def _of_judge(scale: Scale, name: str) -> ScoreScale | None:
    match scale:
        case Labels() | Preference():
            return SHARE
        case Range():
            return _hull([scale.minimum, scale.maximum])
        case Parsed():
            return _hull(_ends(scale.scores[name]))
        case _:
            assert_never(scale)


def _ends(parser: Parser) -> tuple[float | None, float | None]:
    """Return the least and the greatest value that a parser finds; None for what has no end."""
    match parser:
        case JsonParser():
            return parser.minimum, parser.maximum
        case WordParser():
            return min(parser.values.values()), max(parser.values.values())
        case RegexParser() | NumberParser():
            return None, None
        case FirstParser():
            lows, highs = zip(*map(_ends, parser.parsers), strict=True)
            return (None if None in lows else min(lows)), (None if None in highs else max(highs))
        case _:
            assert_never(parser)


def _hull(ends: Sequence[float | None]) -> ScoreScale | None:
    known = [end for end in ends if end is not None and isfinite(end)]
    if len(known) < len(ends):
        return None
    scale = ScoreScale(min(known), max(known))
    return scale if scale.width > 0 else None
