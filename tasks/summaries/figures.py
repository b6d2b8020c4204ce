"""What the scores of one (task, target, metric, name) come to, and how sure that is.

Sums are exact (`math.fsum`), so that the figures do not depend on the order of rows, shards or restarts.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from math import fsum, isfinite, sqrt
from operator import lt
from typing import Final

from core.errors import ResultsMissing
from core.metric import Bleu, Judge, MetricSpec, Preference
from core.result import Outcome, Summary
from core.scale import ends_of, scale_of
from core.stats.cautions import mean_cautions, skewness
from core.stats.interval import ScoreScale, no_interval
from core.stats.mean import Estimate, estimated_mean, missing_bounds, scaled_interval
from core.stats.units import Rows, effective_units, jackknife_error
from tasks.metrics.bleu import BleuCounts, corpus_bleu, share_of
from tasks.metrics.bleu_jackknife import bleu_without_each
from tasks.summaries.units import Standing

SummaryKey = tuple[str, str, str, str]

LEVEL: Final = 0.95
"""How often the intervals of summaries are right."""


@dataclass(slots=True)
class Scored:
    """What came of one (task, target, metric, name): of what was scored the value, sample and counts, side by side.

    So is what `passed`, where samples have several trials.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    values: "array[float]" = field(default_factory=lambda: array("d"))
    samples: "array[int]" = field(default_factory=lambda: array("q"))
    passed: list[bool | None] = field(default_factory=list)
    counts: list[BleuCounts] = field(default_factory=list)
    excluded: "array[int]" = field(default_factory=lambda: array("q"))

    @property
    def is_of_one_trial(self) -> bool:
        """Whether each sample has at most one value; those of a large job come in their order."""
        follow = islice(self.samples, 1, None)
        return all(map(lt, self.samples, follow)) or len(set(self.samples)) == len(self.samples)


@dataclass(frozen=True, slots=True)
class Said:
    """What is known of the outputs that a score is about: the share `truncated`, and if trials are `identical`."""

    truncated: float = 0.0
    identical: bool = False


def summary_of_rows(
    key: SummaryKey, scored: Scored, standing: Standing, metric: MetricSpec | None, said: Said
) -> Summary:
    """Return what the scores of single rows come to, and how sure that is."""
    scale = scale_of(metric, key[3]) if metric else None
    _check(key, scored, scale)
    weights = standing.weigh(scored.samples)
    rows = Rows(scored.values, _units(scored, standing), weights, standing.clusters is not None).weighing()
    estimate = estimated_mean(rows, scale, is_preference=is_preference(metric), level=LEVEL)
    if metric and not scale:
        estimate = replace(estimate, interval=estimate.interval.within(*ends_of(metric, key[3])))
    skew = skewness(rows.values) if estimate.interval.method == "t" else None
    summary = summarise(key, scored.values, scored.outcomes, weights=weights)
    worst, best = _bounds(scored, standing, scale) if scale else (None, None)
    described = _described(summary, scored, standing, estimate, scale, said, skew=skew)
    return replace(described, worst_case=worst, best_case=best)


def summary_of_corpus(key: SummaryKey, scored: Scored, standing: Standing, metric: Bleu, said: Said) -> Summary:
    """Return the BLEU of all rows together, and how sure that is: by leaving out each sample, or cluster, in turn."""
    scale, share = scale_of(metric, key[3]), share_of(metric)
    value = corpus_bleu(scored.counts) * share if scored.counts else None
    units = standing.units(scored.samples)
    estimate = Estimate(None, None, 0, no_interval("nothing_scored"))
    if value is not None and scale is not None:
        error = jackknife_error([bleu * share for bleu in bleu_without_each(units, scored.counts)])
        groups = len(set(units))
        interval = scaled_interval(value, error, groups, scale, rows=len(scored.counts), level=LEVEL)
        estimate = Estimate(value, error, groups, interval)
    summary = value_alone(key, value, len(scored.counts), scored.outcomes)
    return _described(summary, scored, standing, estimate, scale, said)


def is_preference(metric: MetricSpec | None) -> bool:
    """Whether a metric compares two targets."""
    return isinstance(metric, Judge) and isinstance(metric.scale, Preference)


def value_alone(key: SummaryKey, value: float | None, count: int, outcomes: Counter[Outcome]) -> Summary:
    """Return the summary of a value that belongs to `count` rows together, and has no statistics."""
    missing = outcomes.total() - count
    return Summary(*key, count, missing, None, value, None, None, None, None, None, None, dict(outcomes))


def summarise(
    key: SummaryKey, values: Sequence[float], outcomes: Counter[Outcome], *, weights: Sequence[float] | None = None
) -> Summary:
    """Summarise the values that were scored; the rest of `outcomes` counts as not a number.

    Variance and standard deviation are the population's; stderr is stddev / sqrt(count).
    """
    count = len(values)
    missing = outcomes.total() - count
    weight = count if weights is None else fsum(weights)
    if not weight:
        return Summary(*key, count, missing, None, None, None, None, None, None, None, None, dict(outcomes))
    mean = _total(values, weights) / weight
    variance = _total(((value - mean) ** 2 for value in values), weights) / weight
    stddev = sqrt(variance)
    return Summary(
        *key,
        count=count,
        nan_count=missing,
        sum=fsum(values),
        mean=mean,
        min=min(values),
        max=max(values),
        sum_squared=fsum(value * value for value in values),
        variance=variance,
        stddev=stddev,
        stderr=stddev / sqrt(count),
        outcomes=dict(outcomes),
    )


def _total(values: Iterable[float], weights: Sequence[float] | None) -> float:
    if weights is None:
        return fsum(values)
    return fsum(weight * value for weight, value in zip(weights, values, strict=True))


def _described(
    summary: Summary,
    scored: Scored,
    standing: Standing,
    estimate: Estimate,
    scale: ScoreScale | None,
    said: Said,
    *,
    skew: float | None = None,
) -> Summary:
    """Return a summary with how sure its mean is, and what to be careful about."""
    repeats = None if scored.is_of_one_trial else Counter(scored.samples)
    samples, clusters = len(scored.samples) if repeats is None else len(repeats), None
    if standing.clusters is not None:
        clusters = Counter(standing.units(scored.samples))
    interval = estimate.interval
    return replace(
        summary,
        samples=samples,
        trials=min(samples, 1) if repeats is None else max(repeats.values()),
        clusters=None if clusters is None else len(clusters),
        standard_error=estimate.standard_error,
        ci_low=interval.low,
        ci_high=interval.high,
        ci_level=LEVEL if interval.method else None,
        ci_method=interval.method,
        scale_min=scale.low if scale else None,
        scale_max=scale.high if scale else None,
        cautions=mean_cautions(
            samples=samples,
            excluded=summary.nan_count / max(1, scored.outcomes.total()),
            effective_clusters=effective_units([*clusters.values()]) if clusters else None,
            truncated=said.truncated,
            skew=skew,
            identical=said.identical,
        ),
    )


def _units(scored: Scored, standing: Standing) -> Sequence[int] | Sequence[str] | None:
    """Return the unit of each value; None if each has one of its own."""
    is_plain = standing.clusters is None and scored.is_of_one_trial
    return None if is_plain else standing.units(scored.samples)


def _bounds(scored: Scored, standing: Standing, scale: ScoreScale) -> tuple[float, float] | tuple[None, None]:
    """Return what the mean would be with the least, and with the greatest value of all that was not scored."""
    weights, missing = standing.weigh(scored.samples), standing.weigh(scored.excluded)
    scored_weight = len(scored.values) if weights is None else fsum(weights)
    missing_weight = len(scored.excluded) if missing is None else fsum(missing)
    if scored_weight + missing_weight <= 0:
        return None, None
    return missing_bounds(_total(scored.values, weights), scored_weight, missing_weight, scale)


def _check(key: SummaryKey, scored: Scored, scale: ScoreScale | None) -> None:
    """Raise ResultsMissing for a value that there cannot be, naming its row."""
    for sample, value in zip(scored.samples, scored.values, strict=True):
        if not (isfinite(value) and (scale is None or scale.has(value))):
            task, target, metric, name = key
            where = f"task {task!r}, sample {sample}, target {target!r}, metric {metric!r}"
            raise ResultsMissing(f"{where}: the score {name!r} is {value}, which is not on its scale")
