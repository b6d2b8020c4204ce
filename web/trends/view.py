"""What the page of a trend shows: each score over the runs, what changed between them, and which change was sure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple
from urllib.parse import quote

from core import shown
from core.comparison import ScoreComparison
from core.components import components_of
from core.job import ListedJob
from core.plan import Manifest
from core.result import Summary
from core.spec import ModelTarget
from web.charts import Reading, Scale, Trend, trend
from web.jobs.listing import url
from web.jobs.paid import Paid
from web.text import moment, signed

SUFFIX: Final = re.compile(r"[-_ .]+[0-9a-z]{6}$|[-_ .]*\d[-_ .:T\d]*$")
"""What tells the runs of a name apart: the end of a job's id, or a date or number."""

LEAST: Final = 2

WHOLE: Final = "whole job"
WITHOUT_JUDGES: Final = "without judges"
"""What the cost of a target is that is not that of its calls and their judges."""


class ScoreKey(NamedTuple):
    """A score of a task's metric; of a target, where jobs have several."""

    task: str
    target: str
    metric: str
    name: str

    @property
    def label(self) -> str:
        """What it is called."""
        return " / ".join(dict.fromkeys(each for each in self if each))


@dataclass(frozen=True, slots=True)
class Run:
    """A job of the name with its figures, and how it compares with the run before it, where that was looked at."""

    job: ListedJob
    manifest: Manifest | None
    summaries: Sequence[Summary]
    paid: Paid | None = None
    against_last: Mapping[ScoreKey, ScoreComparison] = field(default_factory=dict)

    @property
    def targets(self) -> list[str]:
        """The names of what was evaluated."""
        spec = self.manifest.spec if self.manifest else None
        return [each.name for each in spec.targets if each.name != spec.reference] if spec else []

    def model(self, target: str) -> str | None:
        """Return the model of a target, or of the job's only one; None of recorded answers."""
        return self._models.get(target) if target else self.job.model

    def paid_for(self, target: str) -> tuple[Paid | None, str]:
        """Return what was paid for the answers of a target, and what that has more or less than its own cost.

        That of a job's only one is the job's; it is, too, where another target asks the same model.
        """
        if self.paid is None or not target:
            return self.paid, ""
        model = self._models.get(target)
        if model and list(self._models.values()).count(model) > 1:
            return self.paid, WHOLE
        return self.paid.as_target(model), WITHOUT_JUDGES if self.paid.has_judges else ""

    @property
    def _models(self) -> dict[str, str]:
        """The models that are asked, by their targets."""
        targets = self.manifest.spec.targets if self.manifest else ()
        return {each.name: each.endpoint.model for each in targets if isinstance(each, ModelTarget)}

    def key(self, task: str, target: str, metric: str, name: str) -> ScoreKey:
        """Return a score's key, the same in all runs of one target whatever that is called."""
        return ScoreKey(task, target if len(self.targets) > 1 else "", metric, name)


@dataclass(frozen=True, slots=True)
class Row:
    """A run in the table of a score; `compare_url` holds it against the run before."""

    job: ListedJob
    model: str | None
    mean: str
    scored: str
    changes: str
    difference: str
    verdict: str
    compare_url: str | None
    paid: Paid | None
    paid_for: str


@dataclass(frozen=True, slots=True)
class Series:
    """A score over the runs, as a chart and as a table whose newest run is first."""

    label: str
    chart: Trend
    rows: list[Row]
    last_change: str


def stems(names: Iterable[str]) -> list[tuple[str, int]]:
    """Return what names begin with that differ in their ends alone, and how many there are, the most first."""
    found = Counter(SUFFIX.sub("", name) or name for name in names)
    return [(stem, number) for stem, number in found.most_common() if number >= LEAST]


def all_series(runs: Sequence[Run]) -> list[Series]:
    """Return each score that the runs have, which are given the oldest first."""
    changes = [""] + [changed(before, after) for before, after in pairwise(runs)]
    return [_series(key, runs, changes) for key in keys_of(runs)]


def keys_of(runs: Sequence[Run]) -> list[ScoreKey]:
    """Return the scores that the runs have, in the order in which they come."""
    return list(
        dict.fromkeys(run.key(each.task, each.target, each.metric, each.name) for run in runs for each in run.summaries)
    )


def changed(before: Run, after: Run) -> str:
    """Say which parts were other than in the run before."""
    first, second = _parts(before), _parts(after)
    return ", ".join(
        dict.fromkeys(part for part, *_ in {**first, **second} if first.get((part, *_)) != second.get((part, *_)))
    )


def _parts(run: Run) -> dict[tuple[str, ...], str]:
    manifest = run.manifest
    if manifest is None:
        return {}
    return {
        (each.part, each.task, each.metric, target if len(run.targets) > 1 else ""): each.value
        for target in run.targets
        for each in components_of(manifest, target, trials=manifest.spec.params.trials)
        if each.part != "code"
    }


def _series(key: ScoreKey, runs: Sequence[Run], changes: Sequence[str]) -> Series:
    places = [(n, run, summary) for n, run in enumerate(runs) if (summary := _of(run, key)) is not None]
    readings = [_reading(key, run, summary, changes[n]) for n, run, summary in places]
    rows = [_row(key, run, summary, changes[n], runs[n - 1] if n else None) for n, run, summary in places]
    text = f"{key.label} in {len(readings)} runs"
    return Series(key.label, trend(text, readings, _scale(each for *_, each in places)), rows[::-1], _last(key, places))


def _of(run: Run, key: ScoreKey) -> Summary | None:
    keys = {run.key(each.task, each.target, each.metric, each.name): each for each in run.summaries}
    return keys.get(key)


def _reading(key: ScoreKey, run: Run, summary: Summary, marks: str) -> Reading:
    text = f"{run.job.name}, {moment(run.job.created_at)}: {shown.mean(summary)}"
    kind = _verdict(key, run)
    return Reading(
        f"{text}{', ' + kind if kind else ''}",
        f"/jobs/{quote(run.job.id)}",
        summary.mean,
        summary.ci_low,
        summary.ci_high,
        f"changed: {marks}" if marks else "",
        kind if kind in ("better", "worse") else "",
    )


def _row(key: ScoreKey, run: Run, summary: Summary, changes: str, before: Run | None) -> Row:
    paid, paid_for = run.paid_for(key.target)
    return Row(
        job=run.job,
        model=run.model(key.target),
        mean=shown.mean(summary),
        scored=shown.scored(summary),
        changes=changes,
        difference=_difference(run.against_last.get(key)),
        verdict=_verdict(key, run),
        compare_url=url("/compare", [("a", _side(before, key)), ("b", _side(run, key))]) if before else None,
        paid=paid,
        paid_for=paid_for,
    )


def _side(run: Run, key: ScoreKey) -> str:
    return f"{run.job.id}/{key.target}" if key.target else run.job.id


def _verdict(key: ScoreKey, run: Run) -> str:
    found = run.against_last.get(key)
    return found.verdict.word if found and found.verdict else ""


def _difference(found: ScoreComparison | None) -> str:
    if found is None or found.difference is None:
        return ""
    interval = found.difference.interval
    bounds = f" [{signed(interval.low)}, {signed(interval.high)}]" if interval.low is not None else ""
    return signed(found.difference.value) + bounds


def _last(key: ScoreKey, places: Sequence[tuple[int, Run, Summary]]) -> str:
    """Name the last run that was surely better or worse than the one before it."""
    for _, run, _ in reversed(places):
        if (word := _verdict(key, run)) in ("better", "worse"):
            return f"{run.job.name} was {word} than the run before it: {_difference(run.against_last.get(key))}"
    return ""


def _scale(summaries: Iterator[Summary]) -> Scale:
    """Return the ends that all runs reach, with some room where the score's scale has it."""
    given = list(summaries)
    ends = [end for each in given for end in (each.mean, each.ci_low, each.ci_high) if end is not None]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    room = (high - low) * 0.1 or 0.05
    least = [each.scale_min for each in given if each.scale_min is not None]
    most = [each.scale_max for each in given if each.scale_max is not None]
    return max([low - room, *least]) if least else low - room, min([high + room, *most]) if most else high + room
