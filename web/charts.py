"""Charts as plain geometry, which the macros of `charts.html` draw as SVG: no script, no style, and they print.

Lengths are in the units of the picture's own width, which the macro names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple

from core.result import Outcome

Scale = tuple[float, float]

WIDE: Final = 200.0
"""The width of a chart that stands in a row of a table."""

LARGE: Final = 640.0
"""The width of a chart that stands by itself."""

TALL: Final = 100.0
ROW: Final = 26.0
LABELS: Final = 240.0
LONGEST_LABEL: Final = 36


@dataclass(frozen=True, slots=True)
class IntervalBar:
    """A figure on its scale, and where it may lie; `text` says the same in words."""

    text: str
    point: float | None
    low: float | None
    high: float | None
    width: float = WIDE


def interval_bar(
    text: str, value: float | None, low: float | None, high: float | None, scale: Scale, *, width: float = WIDE
) -> IntervalBar:
    """Place a figure and its interval on a scale; what lies beyond an end stands at it."""
    point, left, right = (each if each is None else _on(each, scale) * width for each in (value, low, high))
    return IntervalBar(text, point, left, right, width)


class Effect(NamedTuple):
    """A row of a forest plot: a difference with its interval; `text` says the row in words."""

    label: str
    text: str
    value: float | None
    low: float | None
    high: float | None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class ForestRow:
    """A row with its place; `kind` is the class by which it is coloured."""

    label: str
    text: str
    y: float
    point: float | None
    low: float | None
    high: float | None
    kind: str


@dataclass(frozen=True, slots=True)
class Forest:
    """Differences below each other, with the line at which there is none and the ends of the scale."""

    rows: tuple[ForestRow, ...]
    zero: float
    scale: Scale
    width: float
    height: float


def forest(effects: Sequence[Effect]) -> Forest:
    """Place differences on one scale, on which that of none is the middle."""
    bounds = [abs(each) for effect in effects for each in (effect.value, effect.low, effect.high) if each is not None]
    reach = 1.1 * max(bounds, default=0.0) or 1.0
    room = LARGE - LABELS

    def place(value: float | None) -> float | None:
        return None if value is None else LABELS + _on(value, (-reach, reach)) * room

    rows = tuple(
        ForestRow(
            label=_short(effect.label),
            text=effect.text,
            y=ROW * (index + 0.5),
            point=place(effect.value),
            low=place(effect.low),
            high=place(effect.high),
            kind=effect.kind,
        )
        for index, effect in enumerate(effects)
    )
    return Forest(rows, LABELS + room / 2, (-reach, reach), LARGE, ROW * len(rows) + 22)


class Bin(NamedTuple):
    """Values from `low` to `high`, and how many there are."""

    low: float
    high: float
    number: int


class Column(NamedTuple):
    """A column of a histogram, and what it says in words."""

    text: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often which values came."""

    text: str
    columns: tuple[Column, ...]
    low: float
    high: float
    most: int
    width: float = LARGE / 2
    height: float = TALL


def histogram(text: str, bins: Sequence[Bin]) -> Histogram:
    """Place the bins of values beside each other, in their order."""
    width, most = LARGE / 2, max((each.number for each in bins), default=0)
    step = width / max(1, len(bins))
    columns = tuple(
        Column(
            text=_bin_text(each),
            x=index * step + 1,
            y=TALL - (height := TALL * each.number / max(1, most)),
            width=max(1.0, step - 2),
            height=height,
        )
        for index, each in enumerate(bins)
    )
    return Histogram(text, columns, bins[0].low if bins else 0.0, bins[-1].high if bins else 0.0, most)


class Part(NamedTuple):
    """A part of an outcome bar."""

    name: str
    number: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class OutcomeBar:
    """How many samples ended in which outcome."""

    text: str
    parts: tuple[Part, ...]
    width: float = WIDE


def outcome_bar(outcomes: Mapping[Outcome, int], *, width: float = WIDE) -> OutcomeBar:
    """Place the counts of outcomes behind each other; one that occurs can be seen."""
    counts = {name: number for name, number in outcomes.items() if number}
    total = sum(counts.values())
    wide = [max(2.0, width * number / total) for number in counts.values()]
    shrink = width / max(width, sum(wide))
    ends = list(accumulate(each * shrink for each in wide))
    parts = [
        Part(name, number, end - each * shrink, each * shrink)
        for (name, number), each, end in zip(counts.items(), wide, ends, strict=True)
    ]
    return OutcomeBar(", ".join(f"{number:,} {name}" for name, number in counts.items()), tuple(parts), width)


class Reading(NamedTuple):
    """A figure with its interval at one time; `text` says it in words, and `url` has more of it.

    `marks` says what was another than the time before.
    """

    text: str
    url: str
    value: float | None
    low: float | None
    high: float | None
    marks: str = ""
    kind: str = ""


class TrendPoint(NamedTuple):
    """A figure in its place."""

    reading: Reading
    x: float
    y: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Trend:
    """A figure over time, the oldest first; `line` is an SVG polyline through what there is."""

    text: str
    points: tuple[TrendPoint, ...]
    line: str
    scale: Scale
    width: float = LARGE
    height: float = 1.5 * TALL


def trend(text: str, readings: Sequence[Reading], scale: Scale) -> Trend:
    """Place figures at equal distances, on their scale from the bottom to the top."""
    height, edge = 1.5 * TALL, 8.0
    step = (LARGE - 4 * edge) / max(1, len(readings) - 1)

    def place(value: float | None) -> float | None:
        return None if value is None else round(height - edge - _on(value, scale) * (height - 2 * edge), 1)

    points = tuple(
        TrendPoint(each, round(2 * edge + n * step, 1), place(each.value), place(each.low), place(each.high))
        for n, each in enumerate(readings)
    )
    return Trend(text, points, " ".join(f"{each.x},{each.y}" for each in points if each.y is not None), scale)


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A few values in their order, as a line; `points` are those of an SVG polyline."""

    text: str
    points: str
    last: tuple[float, float] | None
    width: float = WIDE / 2
    height: float = 24.0


def sparkline(text: str, values: Sequence[float]) -> Sparkline:
    """Draw values in their order, the least at the bottom."""
    width, height, edge = WIDE / 2, 24.0, 3.0
    low, high = min(values, default=0.0), max(values, default=0.0)
    step = (width - 2 * edge) / max(1, len(values) - 1)
    places = [
        (round(edge + index * step, 1), round(height - edge - _on(value, (low, high)) * (height - 2 * edge), 1))
        for index, value in enumerate(values)
    ]
    return Sparkline(text, " ".join(f"{x},{y}" for x, y in places), places[-1] if places else None)


def _on(value: float, scale: Scale) -> float:
    """Return where a value lies on a scale, from 0 to 1; in the middle of one that has no width."""
    low, high = scale
    return 0.5 if high <= low else min(1.0, max(0.0, (value - low) / (high - low)))


def _bin_text(each: Bin) -> str:
    values = f"{each.low:g}" if each.low == each.high else f"{each.low:g} to {each.high:g}"
    return f"{values}: {each.number:,}"


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"
