"""The wire classes of comparisons."""

from typing import Literal

from pydantic import BaseModel, JsonValue

from core.components import Part
from core.stats.words import Doubt, Method, Remark, Word
from tasks.comparisons.compare import Attribution
from tasks.comparisons.matching import By


class ComparedSide(BaseModel):
    """A target of a job, in all its trials or in one."""

    job: str
    target: str
    trial: int | None


class MatchedTask(BaseModel):
    """How a task's samples were matched, and how many have no counterpart."""

    task: str
    matched_by: By
    pairs: int
    only_baseline: int
    only_candidate: int
    items_changed: int


class ExcludedPairs(BaseModel):
    """How many matched samples were scored on one side alone, or on neither."""

    baseline_only: int
    candidate_only: int
    neither: int


class ComparedScore(BaseModel):
    """One score on both sides: the difference is the candidate's less the baseline's; see docs/statistics.md."""

    task: str
    metric: str
    name: str
    primary: bool
    higher_is_better: bool
    n: int
    clusters: int | None
    excluded: ExcludedPairs
    mean_baseline: float | None
    mean_candidate: float | None
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    ci_level: float
    ci_method: Method | None
    standard_error: float | None
    standard_deviation: float | None
    p_value: float | None
    p_adjusted: float | None
    margin: float | None
    margin_given: bool
    p_equivalence: float | None
    p_equivalence_adjusted: float | None
    non_inferior: bool
    effect_size_dz: float | None
    improved: int | None
    regressed: int | None
    unchanged: int | None
    mde: float | None
    samples_needed: int | None
    noise_floor: float | None
    changed_by_noise: float | None
    worst_case: float | None
    best_case: float | None
    verdict: Word | None
    reasons: list[Doubt]
    cautions: list[Remark]


class ComparedSlice(ComparedScore):
    """One score on the samples whose rows have a `value` in the column of `slice`; p-values are those of exploring."""

    value: JsonValue


class ChangedComponent(BaseModel):
    """A part of what the results were made by that is not the same on both sides, as JSON texts."""

    component: Part
    task: str | None
    metric: str | None
    baseline: str | None
    candidate: str | None


class WhatChanged(BaseModel):
    """What differs between the sides, and what the difference comes from: one part, several (`joint`), or `noise`.

    Of the first score that decides, `total` is how the mean over all that each side has changed; `paired` is the part
    that their common samples have in it, and `composition` that of other samples; `rescored` that of another definition
    of the metric, by which the baseline's outputs were scored again. `noise_floor` is what a rerun alone can make, by
    the samples' trials or an earlier job of the same (`noise_from`); null if nobody can tell. `separating` says which
    run would tell several parts apart.
    """

    total: float | None
    paired: float | None
    composition: float | None
    rescored: float | None
    noise_floor: float | None
    noise_from: str | None
    attribution: Attribution
    separating: str | None
    components: list[ChangedComponent]


class Comparison(BaseModel):
    """Two results held against each other on the samples that they have in common."""

    baseline: ComparedSide
    candidate: ComparedSide
    alpha: float
    adjustment: Literal["holm"]
    tasks: list[MatchedTask]
    scores: list[ComparedScore]
    slices: list[ComparedSlice]
    change: WhatChanged


class AnsweredSample(BaseModel):
    """What a side made of a sample: its number there, its trials' mean value, and their texts."""

    sample: int
    value: float
    outputs: list[str | None]


class ChangedSample(BaseModel):
    """A sample whose score changed; `difference` is the candidate's value less the baseline's, `sample` its number."""

    task: str
    sample: int
    difference: float
    baseline: AnsweredSample
    candidate: AnsweredSample


class ChangedSamples(BaseModel):
    """Some of the samples that changed in a score, the most changed first; `next_cursor` is null after the last."""

    metric: str
    name: str
    data: list[ChangedSample]
    next_cursor: str | None
