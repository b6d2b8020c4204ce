"""Comparisons in the words of the native API."""

from dataclasses import asdict

from api.native.lists import opened, sealed
from api.native.schema import comparisons as wire
from core.comparison import ScoreComparison
from store.results.sample_sql import ScoreName
from tasks.comparisons.compare import Asked, Comparison
from tasks.comparisons.samples import ChangedSample, Place, Way
from tasks.comparisons.sides import Side


def to_comparison(baseline: Side, candidate: Side, asked: Asked, found: Comparison) -> wire.Comparison:
    """Return a comparison as it is shown."""
    first = next((score for score in found.scores if score.primary), None)
    change, noise = (first.about.change, first.noise) if first else (None, None)
    return wire.Comparison(
        baseline=_to_side(baseline),
        candidate=_to_side(candidate),
        alpha=asked.alpha,
        adjustment="holm",
        tasks=[
            wire.MatchedTask(
                task=task,
                matched_by=matching.by,
                pairs=len(matching.pairs),
                only_baseline=matching.only_baseline,
                only_candidate=matching.only_candidate,
                items_changed=matching.items_changed,
            )
            for task, matching in found.tasks
        ],
        scores=[_to_score(score, asked) for score in found.scores],
        slices=[
            wire.ComparedSlice(value=each.value, **_to_score(each.score, asked).model_dump()) for each in found.slices
        ],
        change=wire.WhatChanged(
            total=change and change.total,
            paired=change and change.paired,
            composition=change and change.composition,
            rescored=change and change.rescored,
            noise_floor=noise and noise.difference,
            noise_from=noise and (noise.job or "trials"),
            attribution=found.attribution,
            separating=found.separating,
            components=[
                wire.ChangedComponent(
                    component=each.part,
                    task=each.task or None,
                    metric=each.metric or None,
                    baseline=each.baseline,
                    candidate=each.candidate,
                )
                for each in found.changed
            ],
        ),
    )


def to_changed_sample(changed: ChangedSample) -> wire.ChangedSample:
    """Return a sample that changed as it is shown."""
    return wire.ChangedSample(
        task=changed.task,
        sample=changed.baseline.sample,
        difference=changed.difference,
        baseline=wire.AnsweredSample(**asdict(changed.baseline)),
        candidate=wire.AnsweredSample(**asdict(changed.candidate)),
    )


def to_cursor(place: Place, way: Way, score: ScoreName) -> str:
    """Return where a list of samples that changed so in a score goes on."""
    return sealed([way, *score, *place])


def of_cursor(cursor: str, way: Way, score: ScoreName) -> Place:
    """Return where a list goes on. Raises ValueError for what is no cursor of this list."""
    try:
        match opened(cursor):
            case [*of, float() as size, str() as task, int() as sample] if of == [way, *score]:
                return Place(size, task, sample)
    except ValueError:
        pass  # said below
    raise ValueError("this is no cursor of this list; take next_cursor of the page before, and ask for the same else")


def _to_side(side: Side) -> wire.ComparedSide:
    return wire.ComparedSide(job=side.folder.job_id, target=side.target, trial=side.trial)


def _to_score(score: ScoreComparison, asked: Asked) -> wire.ComparedScore:
    about, difference, verdict = score.about, score.difference, score.verdict
    improved, regressed, unchanged = _counted(score)
    means, bounds = score.means or (None, None), score.bounds or (None, None)
    excluded = score.excluded
    return wire.ComparedScore(
        task=about.task,
        metric=about.metric,
        name=about.name,
        primary=score.primary,
        higher_is_better=not about.lower_is_better,
        n=difference.n if difference else 0,
        clusters=difference.groups if difference and about.clusters is not None else None,
        excluded=wire.ExcludedPairs(
            baseline_only=excluded.baseline_only, candidate_only=excluded.candidate_only, neither=excluded.neither
        ),
        mean_baseline=means[0],
        mean_candidate=means[1],
        difference=difference and difference.value,
        ci_low=difference and difference.interval.low,
        ci_high=difference and difference.interval.high,
        ci_level=1 - asked.alpha,
        ci_method=difference and difference.interval.method,
        standard_error=difference and difference.standard_error,
        standard_deviation=difference and difference.deviation,
        p_value=difference and difference.p_value,
        p_adjusted=score.p_adjusted,
        margin=score.margin,
        margin_given=asked.margin is not None,
        p_equivalence=difference and difference.p_equivalence,
        p_equivalence_adjusted=score.p_equivalence_adjusted,
        non_inferior=verdict is not None and verdict.non_inferior,
        effect_size_dz=difference and difference.effect,
        improved=improved,
        regressed=regressed,
        unchanged=unchanged,
        mde=difference and difference.detectable,
        samples_needed=score.samples_needed,
        noise_floor=score.noise and score.noise.difference,
        changed_by_noise=score.noise and difference and score.noise.expected(difference.n),
        worst_case=bounds[0],
        best_case=bounds[1],
        verdict=verdict and verdict.word,
        reasons=list(verdict.reasons) if verdict else [],
        cautions=list(score.remarks),
    )


def _counted(score: ScoreComparison) -> tuple[int, int, int] | tuple[None, None, None]:
    """Return how many samples improved, regressed and stayed; nothing of a score that single ones do not have."""
    about, difference = score.about, score.difference
    if not about.is_of_each:
        return None, None, None
    if difference is None:
        return 0, 0, 0
    up, down = difference.up, difference.down
    return (*((down, up) if about.lower_is_better else (up, down)), difference.same)
