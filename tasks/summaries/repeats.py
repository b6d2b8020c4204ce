"""What the trials of each sample tell, beside a score's mean."""

from collections import defaultdict
from collections.abc import Sequence

from core.metric import MetricSpec
from core.scale import scale_of
from core.stats.interval import SHARE, ScoreScale
from core.stats.mean import Estimate, estimated_mean
from core.stats.repeats import Repeats, attempts, consistency, flip_rate, spread
from core.stats.units import Rows
from tasks.summaries.figures import LEVEL, Scored
from tasks.summaries.units import Standing


def repeats_of(scored: Scored, standing: Standing, metric: MetricSpec | None, name: str, k: int) -> Repeats:
    """Return what `k` trials of each sample tell of the score `name`; a trial that was not scored is no failure."""
    trials: defaultdict[int, list[float]] = defaultdict(list)
    for sample, value in zip(scored.samples, scored.values, strict=True):
        trials[sample].append(value)
    found = spread(list(trials.values()), standing.weigh(list(trials)))
    repeats = Repeats(
        k=k,
        within_variance=found.within,
        between_variance=found.between,
        rerun_stderr=found.rerun_error,
        enough_trials=found.has_enough(k),
        pass_at_k=None,
        pass_at_k_low=None,
        pass_at_k_high=None,
        pass_hat_k=None,
        pass_hat_k_low=None,
        pass_hat_k_high=None,
        too_few_trials=None,
        consistency=None,
        flip_rate=None,
    )
    passed = _passed(scored, scale_of(metric, name) if metric else None)
    return repeats if passed is None else _with_passes(repeats, scored, standing, passed)


def _with_passes(repeats: Repeats, scored: Scored, standing: Standing, passed: Sequence[bool]) -> Repeats:
    """Return what trials tell, with what those tell that passed."""
    ends = dict.fromkeys((*scored.samples, *scored.excluded), (0, 0))
    for sample, has_passed in zip(scored.samples, passed, strict=True):
        count, passes = ends[sample]
        ends[sample] = count + 1, passes + has_passed
    tried, k = list(ends.values()), repeats["k"]
    found = attempts(tried, k)
    enough = [sample for sample, (count, _) in ends.items() if count >= k]
    some, every = (_estimated(each, enough, standing) for each in (found.any_passes, found.all_pass))
    return {
        **repeats,
        "pass_at_k": some.value,
        "pass_at_k_low": some.interval.low,
        "pass_at_k_high": some.interval.high,
        "pass_hat_k": every.value,
        "pass_hat_k_low": every.interval.low,
        "pass_hat_k_high": every.interval.high,
        "too_few_trials": found.too_few,
        "consistency": consistency(tried),
        "flip_rate": flip_rate(tried),
    }


def _passed(scored: Scored, scale: ScoreScale | None) -> list[bool] | None:
    """Return which of the scored trials passed: as they say, or are worth 0 or 1; None of other scores."""
    told = [each for each in scored.passed if each is not None]
    if len(told) == len(scored.values):
        return told
    if scale == SHARE and SHARE.are_ends(scored.values):
        return [SHARE.clamped(value) == SHARE.high for value in scored.values]
    return None


def _estimated(values: Sequence[float], samples: Sequence[int], standing: Standing) -> Estimate:
    """Return the mean of a figure that each of the samples has, and its interval."""
    units = None if standing.clusters is None else standing.units(samples)
    rows = Rows(values, units, standing.weigh(samples), standing.clusters is not None)
    return estimated_mean(rows.weighing(), SHARE, level=LEVEL)
