"""Figures in words, which the command line, Prefect's artifacts, logs and statuses have in common.

A mean is never shown alone: `mean [low, high] · n scored of total · excluded by outcome · what trials tell · cautions`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from core.result import Summary
from core.stats.words import CAUTIONS, REASONS

ENOUGH: Final = 0.5
"""If a smaller share of a score's samples was scored, its job says so loudly."""

MANY_EXCLUDED: Final = 0.05
"""From this share of excluded samples on they are told in bold."""

MOST_NAMED: Final = 3

REPEATS: Final = {
    "pass@k, pass^k": "the chance that one of k trials of a sample passes, and that all do",
    "flip rate": "the chance that two trials of a sample differ",
    "rerun": "how far the mean moves when only the models are asked again",
    "enough trials": "more of them would make the mean hardly surer; more samples would",
}
"""What the words mean in which it is told what trials tell."""


def figure(summary: Summary) -> str:
    """Say in a line what a score came to, and how sure that is."""
    told = (excluded(summary), repeated(summary))
    parts = (mean(summary), f"{scored(summary)} scored", *map(", ".join, told), cautions(summary))
    return " · ".join(part for part in parts if part)


def title(summary: Summary) -> str:
    """Return which score a summary is of: of what, by what."""
    return " / ".join((summary.task, summary.target, summary.metric, summary.name))


def mean(summary: Summary) -> str:
    """Return a mean with its interval, or with why there is none."""
    shown = "no mean" if summary.mean is None else f"{summary.mean:.3f}"
    if summary.ci_low is not None and summary.ci_high is not None:
        return f"{shown} [{summary.ci_low:.3f}, {summary.ci_high:.3f}]"
    return f"{shown} [{summary.ci_reason}]" if summary.ci_reason else shown


def scored(summary: Summary) -> str:
    """Return how many samples were scored of how many, or how many of their trials."""
    return f"{summary.count} of {_total(summary)}{' trials' if summary.repeats else ''}"


def repeated(summary: Summary) -> list[str]:
    """Return what the trials of samples tell in a few words each; nothing where there is one of each."""
    repeats = summary.repeats
    if repeats is None:
        return []
    k = repeats["k"]
    figures = {
        f"pass@{k} {{:.3f}}": repeats["pass_at_k"],
        f"pass^{k} {{:.3f}}": repeats["pass_hat_k"],
        "flip rate {:.3f}": repeats["flip_rate"],
        "rerun ±{:.3f}": repeats["rerun_stderr"],
    }
    told = [words.format(value) for words, value in figures.items() if value is not None]
    return [f"{summary.samples} samples", *told, *(["enough trials"] if repeats["enough_trials"] else [])]


def excluded(summary: Summary) -> list[str]:
    """Return how many samples have no score, by outcome; nothing if all have one."""
    return [f"{count} {outcome}" for outcome, count in summary.outcomes.items() if outcome != "scored"]


def cautions(summary: Summary) -> str:
    """Return what to be careful about, in single words; `legend` says what they mean."""
    return ", ".join(summary.cautions or ())


def many_are_excluded(summary: Summary) -> bool:
    """Whether so many samples have no score that it should meet the eye."""
    return summary.nan_count >= MANY_EXCLUDED * max(1, _total(summary))


def legend(summaries: Iterable[Summary]) -> list[str]:
    """Return what the single words beside figures mean, a line each."""
    rows = list(summaries)
    reasons = {each.ci_reason for each in rows}
    words = {word for each in rows for word in each.cautions or ()}
    trials = " ".join(part for each in rows for part in repeated(each))
    repeats = [(word, said) for word, said in REPEATS.items() if word.partition("@")[0] in trials]
    told = [(word, said) for word, said in (*REASONS.items(), *CAUTIONS.items()) if word in {*reasons, *words}]
    return [f"{word}: {said}" for word, said in (*repeats, *told)]


def shortfall(summaries: Sequence[Summary]) -> str | None:
    """Say that nothing, or less than half, was scored, and of what; None if enough was."""
    few = [each for each in summaries if each.count < ENOUGH * _total(each)]
    if not few:
        return None
    whole = "Nothing was scored" if not any(each.count for each in summaries) else "Less than half was scored"
    named = [f"{title(each)} {scored(each)} ({', '.join(excluded(each))})" for each in few[:MOST_NAMED]]
    more = f"; and of {len(few) - MOST_NAMED} more" if len(few) > MOST_NAMED else ""
    return f"{whole}: {'; '.join(named)}{more}"


def least_scored(summaries: Sequence[Summary]) -> Summary:
    """Return the score of which the smallest share of samples was scored, the first of several."""
    return min(summaries, key=lambda each: each.count / max(1, _total(each)))


def _total(summary: Summary) -> int:
    return summary.count + summary.nan_count
