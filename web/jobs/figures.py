"""A job's scores as a row each: the mean with its interval on its scale, n, and what was excluded."""

from collections.abc import Sequence
from dataclasses import dataclass

from core import shown
from core.result import Summary
from web.charts import IntervalBar, OutcomeBar, Scale, interval_bar, outcome_bar
from web.text import number


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A score: `mean` is its figure with the interval, `worst` and `best` what it were if all excluded had those.

    `repeated` is what several trials tell.
    """

    task: str
    target: str
    metric: str
    name: str
    mean: str
    repeated: str
    value: float | None
    scored: str
    excluded: str
    many_excluded: bool
    cautions: str
    worst: float | None
    best: float | None
    bar: IntervalBar | None
    outcomes: OutcomeBar

    @property
    def label(self) -> str:
        """The metric, and the score where it has another name."""
        return self.metric if self.name == self.metric else f"{self.metric} / {self.name}"


def score_rows(summaries: Sequence[Summary]) -> list[ScoreRow]:
    """Return a row for each summary; those of the same metric and score are on one scale."""
    return [_row(each, _scale(each, summaries)) for each in summaries]


def _row(each: Summary, scale: Scale | None) -> ScoreRow:
    bar = None
    if scale is not None and each.mean is not None:
        text = f"{shown.mean(each)} on a scale from {number(scale[0])} to {number(scale[1])}"
        bar = interval_bar(text, each.mean, each.ci_low, each.ci_high, scale)
    is_bounded = each.nan_count > 0
    return ScoreRow(
        task=each.task,
        target=each.target,
        metric=each.metric,
        name=each.name,
        mean=shown.mean(each),
        repeated=", ".join(shown.repeated(each)),
        value=each.mean,
        scored=shown.scored(each),
        excluded=", ".join(shown.excluded(each)),
        many_excluded=shown.many_are_excluded(each),
        cautions=shown.cautions(each),
        worst=each.worst_case if is_bounded else None,
        best=each.best_case if is_bounded else None,
        bar=bar,
        outcomes=outcome_bar(each.outcomes, width=120),
    )


def _scale(summary: Summary, among: Sequence[Summary]) -> Scale | None:
    """Return the scale that a score is on, or of an unknown one what the values of all targets reach."""
    if summary.scale_min is not None and summary.scale_max is not None:
        return summary.scale_min, summary.scale_max
    alike = [each for each in among if (each.metric, each.name) == (summary.metric, summary.name)]
    ends = [end for each in alike for end in (each.min, each.max, each.ci_low, each.ci_high) if end is not None]
    return (min(ends), max(ends)) if ends else None
