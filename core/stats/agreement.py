"""How far two graders agree beyond chance: of a judge and people, in their words or in their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, fsum, sqrt, tanh
from typing import Final, Literal

from core.stats.distributions import normal_quantile
from core.stats.proportion import Limits

Weights = Literal["linear", "quadratic"]

LEAST_RANKED: Final = 4
"""With fewer pairs the error of a rank correlation is none."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A figure of agreement with its standard error and limits."""

    value: float
    standard_error: float
    low: float
    high: float


def cohen_kappa(
    table: Sequence[Sequence[int]], weights: Weights | None = None, level: float = 0.95
) -> Agreement | None:
    """Return Cohen's kappa of a square table of counts, a row for each word of the first grader. Range -1..1.

    Its error is that of Fleiss, Cohen and Everitt 1969. None without counts, or if both graders know one word alone:
    agreement by chance is then certain.
    """
    n = sum(map(sum, table))
    k = range(len(table))
    if not n:
        return None
    p = [[table[i][j] / n for j in k] for i in k]
    rows, columns = [fsum(p[i]) for i in k], [fsum(p[i][j] for i in k) for j in k]
    w = [[_weight(i, j, len(table), weights) for j in k] for i in k]
    observed = fsum(w[i][j] * p[i][j] for i in k for j in k)
    expected = fsum(w[i][j] * rows[i] * columns[j] for i in k for j in k)
    if expected >= 1:
        return None
    kappa = (observed - expected) / (1 - expected)
    of_row = [fsum(columns[j] * w[i][j] for j in k) for i in k]
    of_column = [fsum(rows[i] * w[i][j] for i in k) for j in k]
    spread = fsum(
        p[i][j] * (w[i][j] * (1 - expected) - (of_row[i] + of_column[j]) * (1 - observed)) ** 2 for i in k for j in k
    )
    variance = (spread - (observed * expected - 2 * expected + observed) ** 2) / (n * (1 - expected) ** 4)
    error = sqrt(max(0.0, variance))
    half = normal_quantile((1 + level) / 2) * error
    return Agreement(kappa, error, max(-1.0, kappa - half), min(1.0, kappa + half))


def spearman(x: Sequence[float], y: Sequence[float], level: float = 0.95) -> Agreement | None:
    """Return the rank correlation of two lists of numbers, ties at their middle rank. Range -1..1.

    Limits by Fisher's z with the error of Bonett and Wright 2000, which `standard_error` is, on the scale of z. None
    for fewer than 4 pairs, or where one of them never varies.
    """
    n = len(x)
    if n < LEAST_RANKED:
        return None
    a, b = _ranks(x), _ranks(y)
    middle = (n + 1) / 2
    products = fsum((i - middle) * (j - middle) for i, j in zip(a, b, strict=True))
    squares = fsum((i - middle) ** 2 for i in a) * fsum((j - middle) ** 2 for j in b)
    if not squares:
        return None
    rho = max(-1.0, min(1.0, products / sqrt(squares)))
    error = sqrt((1 + rho * rho / 2) / (n - 3))
    if abs(rho) == 1:
        return Agreement(rho, error, rho, rho)
    low, high = _fisher(rho, normal_quantile((1 + level) / 2) * error)
    return Agreement(rho, error, low, high)


def _fisher(rho: float, half: float) -> Limits:
    return tanh(atanh(rho) - half), tanh(atanh(rho) + half)


def _weight(i: int, j: int, size: int, weights: Weights | None) -> float:
    if weights is None:
        return float(i == j)
    return 1 - (abs(i - j) / (size - 1)) ** (2 if weights == "quadratic" else 1)


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=lambda at: values[at])
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        stop = start
        while stop < len(order) and values[order[stop]] == values[order[start]]:
            stop += 1
        for at in order[start:stop]:
            ranks[at] = (start + stop + 1) / 2
        start = stop
    return ranks
