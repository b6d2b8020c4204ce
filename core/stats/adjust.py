"""p-values of several scores together."""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that one false finding among all is as rare as for a single one: Holm 1979."""
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, p_values[at] * (len(p_values) - rank)))
        adjusted[at] = running
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for the share of false findings among all: Benjamini and Hochberg 1995."""
    adjusted, running, count = [0.0] * len(p_values), 1.0, len(p_values)
    for left, at in enumerate(sorted(range(count), key=p_values.__getitem__, reverse=True)):
        running = min(running, p_values[at] * count / (count - left))
        adjusted[at] = running
    return adjusted
