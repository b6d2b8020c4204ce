"""What the page of a job shows: how it did, how sure that is, what its calls took, and what made it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from urllib.parse import quote

import orjson

from api.native.lists import ITEM
from core import shown
from core.job import Intent, JobStatus, ListedJob
from core.metric import Judge
from core.plan import Manifest
from core.result import Summary
from core.spec import EvaluationSpec
from core.steering import CAN_PAUSE, CAN_RESUME
from store.results.statistics import CallFigures, Histogram, Statistics
from store.secrets import mask
from tasks.comparisons.sides import evaluated
from tasks.summaries.slices import Slice
from web import charts, text
from web.compare.view import target_pairs
from web.jobs.figures import ScoreRow, score_rows
from web.jobs.listing import url
from web.jobs.origin import MEANINGS, origin

LONGEST_SPEC: Final = 60_000

ACTIONS: Final[Mapping[str, tuple[Intent, frozenset[JobStatus]]]] = {
    "pause": ("pause", CAN_PAUSE),
    "resume": ("run", CAN_RESUME),
    "cancel": ("cancel", frozenset({"created", "pending", "running", "pausing", "paused", "resuming"})),
}
"""What a person may do to a job, what is wanted of it then, and in which statuses."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A job's scores, what the words beside them mean, and whether too little was scored."""

    rows: list[ScoreRow]
    legend: list[str]
    shortfall: str | None
    is_part: bool


@dataclass(frozen=True, slots=True)
class ScoreSlices:
    """One score in every slice, below each other on one scale."""

    label: str
    rows: list[tuple[str, str, ScoreRow]]


@dataclass(frozen=True, slots=True)
class ScoreHistogram:
    """How often the values of a score came."""

    title: str
    chart: charts.Histogram


@dataclass(frozen=True, slots=True)
class CallRow:
    """The calls to a target or a judge, and how many of them were not answered."""

    of: str
    figures: CallFigures
    outcomes: str
    errors: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted of a job, drawn."""

    histograms: list[ScoreHistogram]
    calls: list[CallRow]
    rate: charts.Sparkline | None
    calls_a_second: float | None
    outputs: list[tuple[str, int, float, float]]


def actions(status: JobStatus) -> list[str]:
    """Return what a person may do to a job of this status."""
    return [name for name, (_, statuses) in ACTIONS.items() if status in statuses]


def figures(summaries: Sequence[Summary], *, is_part: bool = False) -> Figures:
    """Return a job's scores, of a part of it or of all."""
    few = shown.shortfall(summaries) if summaries else None
    return Figures(score_rows(summaries), shown.legend(summaries), few, is_part)


def slices_by_score(slices: Sequence[Slice]) -> list[ScoreSlices]:
    """Return for each score a row a slice, and a target if there are several; the rows of a score are on one scale."""
    pairs = [(_value(each.value), summary) for each in slices for summary in each.summaries]
    rows = score_rows([summary for _, summary in pairs])
    placed = sorted(
        ((row.task, row.label, value, row) for (value, _), row in zip(pairs, rows, strict=True)),
        key=lambda each: each[:2],
    )
    return [
        ScoreSlices(" / ".join(key), [(value, row.target, row) for *_, value, row in group])
        for key, group in groupby(placed, key=lambda each: each[:2])
    ]


def slicing(columns: Sequence[str], by: str | None) -> list[str]:
    """Return the columns that can be chosen to slice by, with that which is shown."""
    return list(dict.fromkeys([*columns, *([by.removeprefix(ITEM)] if by else [])]))


def counted(found: Statistics) -> Counted:
    """Return what was counted as the page draws it."""
    first = min((each.first_at for each in found.calls), default=None)
    last = max((each.last_at for each in found.calls), default=None)
    took = (last - first).total_seconds() if first and last else 0.0
    total = sum(found.rate)
    rate = charts.sparkline(f"Calls begun over {text.duration(took)}: {total:,}", found.rate) if total > 1 else None
    return Counted(
        histograms=[_histogram(each) for each in found.histograms],
        calls=[_call_row(each) for each in found.calls],
        rate=rate,
        calls_a_second=total / took if took > 0 else None,
        outputs=[
            (f"{each.task} / {each.target}", each.outputs, each.truncated / each.outputs, each.empty / each.outputs)
            for each in found.outputs
        ],
    )


def specification(spec: EvaluationSpec | None) -> str | None:
    """Return a specification without keys, as JSON to read; the beginning of a long one."""
    if spec is None:
        return None
    return _cut(_json(mask(spec.model_dump(mode="json", exclude_defaults=True))))


def facts(job: ListedJob, manifest: Manifest | None) -> list[tuple[str, str]]:
    """Return what is to be known of a job besides its figures, in words."""
    told = [
        ("id", job.id),
        ("made by", MEANINGS.get(word := origin(job), word)),
        ("namespace", job.namespace),
        ("project", job.project),
        ("description", job.description),
        ("target", job.target),
        ("config", job.config),
        ("model", job.model),
        ("created", text.moment(job.created_at)),
        ("started", job.started_at and text.moment(job.started_at)),
        ("finished", job.finished_at and text.moment(job.finished_at)),
        *_of_manifest(manifest),
    ]
    return [(name, value) for name, value in told if value]


def is_judged(spec: EvaluationSpec | None) -> bool:
    """Tell whether models judge what the targets said."""
    return spec is not None and any(isinstance(each, Judge) for task in spec.tasks for each in task.metrics)


def own_pairs(job_id: str, manifest: Manifest | None) -> list[tuple[str, str]]:
    """Return which of a job's targets can be compared with each other, in words and as links."""
    targets = evaluated(manifest.spec) if manifest else []
    return [
        (text, url("/compare", [("a", f"{job_id}/{first}"), ("b", f"{job_id}/{second}")]))
        for text, first, second in target_pairs(targets, targets, is_same=True)
    ]


def samples_url(job: ListedJob) -> str:
    """Return where the samples of a job are."""
    return f"/jobs/{quote(job.id)}/samples"


def _of_manifest(manifest: Manifest | None) -> list[tuple[str, str | None]]:
    if manifest is None:
        return []
    return [
        *((f"dataset of {each.task}", f"{each.rows:,} rows, sha256 {each.sha256}") for each in manifest.datasets),
        ("shards", f"{len(manifest.shards):,}"),
        ("code", manifest.code_version),
        *(("note", note) for note in manifest.notes),
    ]


def _histogram(each: Histogram) -> ScoreHistogram:
    total = sum(one.number for one in each.bins)
    title = f"{each.task} / {each.target} / {each.metric}{'' if each.name == each.metric else f' / {each.name}'}"
    bins = [charts.Bin(*one) for one in each.bins]
    return ScoreHistogram(title, charts.histogram(f"{title}: {total:,} values", bins))


def _call_row(each: CallFigures) -> CallRow:
    of = (
        each.target
        if each.role == "target"
        else f"judge of {each.metric}{f', on {each.target}' if each.target else ''}"
    )
    outcomes = ", ".join(f"{number:,} {name}" for name, number in each.outcomes.items())
    return CallRow(of, each, outcomes, each.calls - each.outcomes.get("answered", 0))


def _value(value: Any) -> str:
    return value if isinstance(value, str) else "no value" if value is None else orjson.dumps(value).decode()


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _cut(whole: str) -> str:
    return (
        whole if len(whole) <= LONGEST_SPEC else f"{whole[:LONGEST_SPEC]}\n… {text.count(len(whole))} characters in all"
    )
