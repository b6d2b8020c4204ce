"""What the page of a comparison shows: verdicts in words, forests of differences, and answers beside each other."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.native.schema import comparisons as wire
from core.spec import EvaluationSpec
from core.stats.words import DOUBTS, JUDGED_ALIKE, REMARKS
from store.results.statistics import CallFigures
from tasks.comparisons.compare import Comparison
from tasks.comparisons.samples import Answered, ChangedSample
from tasks.comparisons.sides import Side, evaluated
from tasks.samples.columns import telling_columns
from web.charts import Effect, Forest, forest
from web.compare.diff import Diff, diff
from web.text import number, signed

MOST_PAIRS: Final = 10
TOLD: Final = 2
"""So many columns of a row stand beside its answers."""

MEANINGS: Final[Mapping[str, str]] = dict((*DOUBTS.items(), *REMARKS.items()))


@dataclass(frozen=True, slots=True)
class ScoreView:
    """A score's comparison: `advice` is what can be done about a verdict that is none."""

    score: wire.ComparedScore
    label: str
    advice: str
    words: list[tuple[str, str]]

    @property
    def interval(self) -> str:
        """The interval of the difference."""
        if self.score.ci_low is None:
            return ""
        return f"[{signed(self.score.ci_low)}, {signed(self.score.ci_high)}]"


@dataclass(frozen=True, slots=True)
class SliceView:
    """A score by the values of a column."""

    label: str
    rows: list[tuple[str, wire.ComparedSlice]]
    plot: Forest


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A sample whose score changed: what of its row tells most, all of it, and both answers with what differs."""

    changed: ChangedSample
    told: list[tuple[str, str]]
    item: str
    texts: Diff


@dataclass(frozen=True, slots=True)
class SideCalls:
    """What a side's calls to its model took, and cost where the settings have its prices."""

    figures: CallFigures
    cost: float | None


def target_pairs(baseline: Sequence[str], candidate: Sequence[str], *, is_same: bool) -> list[tuple[str, str, str]]:
    """Return which targets of two jobs may be meant by the jobs alone, in words and each; of one job, two that differ.

    There is nothing to tell where neither job has several.
    """
    if len(baseline) == len(candidate) == 1:
        return []
    if is_same:
        return [(f"{other} against {baseline[0]}", baseline[0], other) for other in baseline[1 : MOST_PAIRS + 1]]
    if len(baseline) == 1 or len(candidate) == 1:
        found = [(first, second) for first in baseline for second in candidate]
    else:
        found = [(name, name) for name in baseline if name in candidate]
    return [(second if first == second else f"{second} against {first}", first, second) for first, second in found][
        :MOST_PAIRS
    ]


def titles(sides: Sequence[Side], names: Sequence[str]) -> list[str]:
    """Return what tells two sides apart: the names of their jobs, with their targets where a job has several.

    Of one job they are its targets, of one target its trials.
    """
    first, second = sides
    if first.folder != second.folder:
        has_several = any(len(evaluated(side.manifest.spec)) > 1 for side in sides)
        return [f"{name} / {side.target}" if has_several else name for side, name in zip(sides, names, strict=True)]
    if first.target != second.target:
        return [side.target for side in sides]
    return [
        name if side.trial is None else f"{name}, trial {side.trial}" for side, name in zip(sides, names, strict=True)
    ]


def score_views(scores: Sequence[wire.ComparedScore], baseline: str) -> list[ScoreView]:
    """Return a row for each score, those that decide first; `baseline` is a job's id."""
    ordered = sorted(scores, key=lambda score: not score.primary)
    return [ScoreView(score, label(score), _advice(score, baseline), _words(score)) for score in ordered]


def label(score: wire.ComparedScore) -> str:
    """Return what a score is called: its task, its metric, and its name where that is another."""
    return " / ".join(dict.fromkeys((score.task, score.metric, score.name)))


def headline(scores: Iterable[wire.ComparedScore]) -> list[tuple[str, list[str]]]:
    """Return each verdict that was given with the scores that it is about."""
    found: dict[str, list[str]] = {word: [] for word in ("worse", "better", "equivalent", "inconclusive")}
    for score in scores:
        if score.verdict:
            found[score.verdict].append(label(score))
    return [(word, labels) for word, labels in found.items() if labels]


def forests(found: Comparison, scores: Sequence[wire.ComparedScore]) -> list[Forest]:
    """Return a forest of differences for each width of scale: what is a little on one is much on another."""
    effects: dict[float | tuple[str, str], list[Effect]] = {}
    for compared, score in zip(found.scores, scores, strict=True):
        scale = compared.about.scale
        width = scale.width if scale else (score.metric, score.name)
        effects.setdefault(width, []).append(_effect(label(score), score))
    return [forest(rows) for rows in effects.values()]


def slice_views(slices: Sequence[wire.ComparedSlice]) -> list[SliceView]:
    """Return the slices score by score, each with a forest of its differences."""
    grouped: dict[str, list[wire.ComparedSlice]] = {}
    for each in slices:
        grouped.setdefault(label(each), []).append(each)
    return [
        SliceView(
            name,
            [(value_text(each.value), each) for each in rows],
            forest([_effect(value_text(each.value), each) for each in rows]),
        )
        for name, rows in grouped.items()
    ]


def value_text(value: Any) -> str:
    """Return a value of a column as a person writes it."""
    if value is None:
        return "(none)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def pretty(text: str | None) -> str:
    """Return a part of a plan, which is a JSON text, with a line for each of its fields."""
    return "–" if text is None else json.dumps(json.loads(text), indent=2, ensure_ascii=False)


def change_view(changed: ChangedSample, item: Mapping[str, Any], spec: EvaluationSpec) -> ChangeView:
    """Return a sample that changed with what differs between its answers."""
    return ChangeView(
        changed,
        [(name, value_text(item[name])) for name in telling_columns(spec, list(item))[:TOLD]],
        json.dumps(item, indent=2, ensure_ascii=False),
        diff(_text(changed.baseline), _text(changed.candidate)),
    )


def _text(answered: Answered) -> str:
    texts = [text or "" for text in answered.outputs]
    return texts[0] if len(texts) == 1 else "\n\n".join(f"Trial {n}:\n{text}" for n, text in enumerate(texts))


def _effect(name: str, score: wire.ComparedScore) -> Effect:
    text = f"{name}: {signed(score.difference)}"
    if score.ci_low is not None:
        text += f", from {signed(score.ci_low)} to {signed(score.ci_high)}"
    if score.verdict:
        text += f", {score.verdict}"
    return Effect(name, text, score.difference, score.ci_low, score.ci_high, score.verdict or "")


def _words(score: wire.ComparedScore) -> list[tuple[str, str]]:
    """Return what stands beside the verdict, and what it means."""
    return [(word, MEANINGS[word]) for word in (*score.reasons, *score.cautions)]


def _advice(score: wire.ComparedScore, baseline: str) -> str:
    """Say what would turn an inconclusive verdict into one."""
    if "judge_changed" in score.reasons:
        return JUDGED_ALIKE.format(baseline=baseline)
    if score.verdict != "inconclusive" or "not_enough_evidence" not in score.reasons:
        return ""
    told = f"{score.n:,} samples would have shown a difference of {number(score.mde)}" if score.mde is not None else ""
    if score.samples_needed is not None and score.samples_needed > score.n:
        needed = f"it takes about {score.samples_needed:,} to show one of {number(score.margin)}"
        return f"{told}; {needed}" if told else needed
    return told
