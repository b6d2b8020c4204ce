"""Means, medians, modes and spreads; sums are exact (`math.fsum`), and what has no value is a ValueError."""

import math
from collections import Counter


def _values(data, least, what):
    values = list(data)
    if len(values) < least:
        raise ValueError(what + " requires at least " + ("one data point" if least == 1 else "two data points"))
    return values


def mean(data):
    values = _values(data, 1, "mean")
    return math.fsum(values) / len(values)


def fmean(data, weights=None):
    values = _values(data, 1, "fmean")
    if weights is None:
        return math.fsum(values) / len(values)
    weights = list(weights)
    if len(weights) != len(values):
        raise ValueError("data and weights must be the same length")
    total = math.fsum(weights)
    if not total:
        raise ValueError("sum of weights must be non-zero")
    return math.fsum([value * weight for value, weight in zip(values, weights)]) / total


def geometric_mean(data):
    values = _values(data, 1, "geometric_mean")
    if min(values) <= 0:
        raise ValueError("geometric_mean requires a non-empty dataset containing positive numbers")
    return math.exp(math.fsum([math.log(value) for value in values]) / len(values))


def harmonic_mean(data):
    values = _values(data, 1, "harmonic_mean")
    if min(values) < 0:
        raise ValueError("harmonic mean does not support negative values")
    if 0 in values:
        return 0
    return len(values) / math.fsum([1 / value for value in values])


def median_low(data):
    values = sorted(_values(data, 1, "median"))
    return values[(len(values) - 1) // 2]


def median_high(data):
    values = sorted(_values(data, 1, "median"))
    return values[len(values) // 2]


def median(data):
    values = sorted(_values(data, 1, "median"))
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def multimode(data):
    counts = Counter(data)
    most = max(counts.values()) if counts else 0
    return [value for value, count in counts.items() if count == most]


def mode(data):
    modes = multimode(_values(data, 1, "mode"))
    return modes[0]


def _squares(values, around):
    around = math.fsum(values) / len(values) if around is None else around
    return math.fsum([(value - around) ** 2 for value in values])


def variance(data, xbar=None):
    values = _values(data, 2, "variance")
    return _squares(values, xbar) / (len(values) - 1)


def pvariance(data, mu=None):
    values = _values(data, 1, "pvariance")
    return _squares(values, mu) / len(values)


def stdev(data, xbar=None):
    return math.sqrt(variance(data, xbar))


def pstdev(data, mu=None):
    return math.sqrt(pvariance(data, mu))
