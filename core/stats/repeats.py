"""What repeating each sample tells: how much of a score is chance, and what several attempts come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, fsum, sqrt
from typing import Final, TypedDict

ENOUGH: Final = 0.1
"""If what chance within samples adds to the mean is a smaller part of the variance between them, it is little."""


class Repeats(TypedDict):
    """What asking `k` times tells beside a score's mean; figures of passing are None where nothing passes or fails.

    With `enough_trials` only more samples would make the mean surer. `pass_at_k` is the chance that one of `k` trials
    passes, `pass_hat_k` that all do, over the samples of which so many were scored; of `too_few_trials` they were not.
    Two trials of a sample differ with the chance `flip_rate`; all agree on a share `consistency` of the samples.
    """

    k: int
    within_variance: float | None
    between_variance: float | None
    rerun_stderr: float | None
    enough_trials: bool | None
    pass_at_k: float | None
    pass_at_k_low: float | None
    pass_at_k_high: float | None
    pass_hat_k: float | None
    pass_hat_k_low: float | None
    pass_hat_k_high: float | None
    too_few_trials: int | None
    consistency: float | None
    flip_rate: float | None


@dataclass(frozen=True, slots=True)
class Spread:
    """How much values vary within samples and between them.

    `rerun_error` is how far the mean moves when only the model is asked again. None where no sample was repeated, and
    between fewer than two samples.
    """

    within: float | None
    between: float | None
    rerun_error: float | None

    def has_enough(self, k: int) -> bool | None:
        """Whether more than `k` trials of each sample would be waste; None where that cannot be told."""
        if self.within is None or self.between is None:
            return None
        return self.within / k < ENOUGH * self.between


@dataclass(frozen=True, slots=True)
class Attempts:
    """What `k` attempts at each sample come to, as a figure a sample; `too_few` have fewer trials that were scored.

    `any_passes` is pass@k (Chen et al. 2021), `all_pass` is pass^k (Yao et al. 2024).
    """

    any_passes: list[float]
    all_pass: list[float]
    too_few: int


def spread(trials: Sequence[Sequence[float]], weights: Sequence[float] | None = None) -> Spread:
    """Return how values vary, from those of each sample's trials; the variance between is corrected for that within.

    The `weights` of the samples say what each has in the mean that a rerun moves.
    """
    means = [fsum(each) / len(each) for each in trials]
    squares = [fsum((x - mean) ** 2 for x in each) for each, mean in zip(trials, means, strict=True)]
    rows = sum(map(len, trials))
    repeats = rows - len(trials)
    if not repeats:
        return Spread(None, _variance(means), None)
    within = fsum(squares) / repeats
    total = _variance(means)
    share = fsum(1 / len(each) for each in trials) / len(trials)
    between = None if total is None else max(0.0, total - within * share)
    # A sample that was asked once tells nothing of its own noise, and is taken to have that of all.
    own = [1.0] * len(trials) if weights is None else weights
    noise = (
        weight * weight * len(each) * (square / (len(each) - 1) if len(each) > 1 else within)
        for weight, each, square in zip(own, trials, squares, strict=True)
    )
    whole = fsum(weight * len(each) for weight, each in zip(own, trials, strict=True))
    return Spread(within, between, sqrt(fsum(noise)) / whole if whole else None)


def attempts(samples: Sequence[tuple[int, int]], k: int) -> Attempts:
    """Return what `k` attempts come to, given the scored trials of each sample and how many of them passed."""
    enough = [(trials, passed) for trials, passed in samples if trials >= k]
    return Attempts(
        [pass_at(trials, passed, k) for trials, passed in enough],
        [pass_all(trials, passed, k) for trials, passed in enough],
        len(samples) - len(enough),
    )


def pass_at(trials: int, passed: int, k: int) -> float:
    """Return the chance that of `k` of the trials at least one passed."""
    return 1.0 - comb(trials - passed, k) / comb(trials, k)


def pass_all(trials: int, passed: int, k: int) -> float:
    """Return the chance that `k` of the trials all passed."""
    return comb(passed, k) / comb(trials, k)


def consistency(samples: Sequence[tuple[int, int]]) -> float | None:
    """Return the share of samples whose trials all agree, of those with at least two; None without any."""
    repeated = [(trials, passed) for trials, passed in samples if trials > 1]
    return sum(passed in (0, trials) for trials, passed in repeated) / len(repeated) if repeated else None


def flip_rate(samples: Sequence[tuple[int, int]]) -> float | None:
    """Return the chance that two trials of a sample differ, over samples with at least two; None without any."""
    flips = [2 * passed * (n - passed) / (n * (n - 1)) for n, passed in samples if n > 1]
    return fsum(flips) / len(flips) if flips else None


def _variance(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = fsum(values) / len(values)
    return fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
