"""Hold a shard's rows against what they derive from: which there should be, and what should be in them."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from math import isclose
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TypeVar, assert_never

from core.metric import Code, Computed, Judge, MetricSpec
from core.plan import Shard
from core.result import Call, CallKey, Output, Score, Summary
from core.score_names import names_of
from core.spec import EvaluationSpec, ModelTarget
from tasks.endpoint.breaker import Unwatched
from tasks.judging.grade import call_keys, verdicts
from tasks.metrics.computed import computed_scores
from tasks.metrics.subject import Subject
from tasks.templates.rendering import STOPPED

Row = TypeVar("Row", Output, Score, Summary)
Key = tuple[Hashable, ...]
Scored = Sequence[tuple[MetricSpec, Sequence[Subject]]]
"""The metrics of a task, each with what it scores."""

OUTPUT_KEY: Final[Callable[[Output], Key]] = attrgetter("task", "sample", "target", "trial")
SCORE_KEY: Final[Callable[[Score], Key]] = attrgetter("task", "sample", "target", "trial", "metric", "name")
SUMMARY_KEY: Final[Callable[[Summary], Key]] = attrgetter("task", "target", "metric", "name")


CLOSE: Final = frozenset(
    {
        *("standard_error", "ci_low", "ci_high", "worst_case", "best_case"),
        *("pass_at_k_low", "pass_at_k_high", "pass_hat_k_low", "pass_hat_k_high"),
    }
)
TOLERANCE: Final = 1e-9
"""By so much may figures differ that are not all sums: the mathematics of another machine's libraries is not ours."""


class Differs(Exception):
    """What is stored is not what it should be: `stored` in the place of `recomputed`."""

    def __init__(
        self, path: Path, problem: str, *, sample: int | None = None, stored: Any = None, recomputed: Any = None
    ) -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem
        self.sample = sample
        self.stored = stored
        self.recomputed = recomputed


def check_keys(path: Path, stored: Iterable[Key], expected: Iterable[Key]) -> None:
    """Check that each expected key has its row, and no other key has one."""
    found, wanted = Counter(stored), Counter(expected)
    for key in (*wanted, *found):
        if found[key] != wanted[key]:
            problem = f"the number of rows of {' / '.join(map(str, key))}"
            raise Differs(path, problem, sample=_sample(key), stored=found[key], recomputed=wanted[key])


def check_rows(
    path: Path, stored: Sequence[Row], expected: Sequence[Row], key_of: Callable[[Row], Key], *, exact: bool = True
) -> None:
    """Check that the stored rows have the expected keys, and if `exact` the expected values."""
    check_keys(path, map(key_of, stored), map(key_of, expected))
    found = {key_of(row): row for row in stored}
    for row in expected if exact else ():
        key = key_of(row)
        if found[key] == row:
            continue
        names = (name for name in _names(row) if not _same(name, getattr(found[key], name), getattr(row, name)))
        if name := next(names, None):
            raise Differs(
                path,
                f"{name} of {' / '.join(map(str, key))}",
                sample=_sample(key),
                stored=getattr(found[key], name),
                recomputed=getattr(row, name),
            )


def target_calls(spec: EvaluationSpec, shard: Shard) -> Iterator[CallKey]:
    """Yield the keys of the calls that a shard's outputs come from."""
    for target in spec.targets:
        if isinstance(target, ModelTarget):
            for sample in shard.samples:
                for trial in range(spec.params.trials):
                    yield CallKey(shard.task, sample, target.name, trial, "target", "", 0)


def judges_calls(about: Scored) -> Iterator[CallKey]:
    """Yield the keys of the calls that a shard's scores come from."""
    for metric, subjects in about:
        if isinstance(metric, Judge):
            yield from (key for subject in subjects if not subject.lost for key in call_keys(metric, subject))


def check_scores(
    path: Path, stored: Sequence[Score], about: Scored, calls: Mapping[CallKey, Call], *, exact: bool
) -> None:
    """Check a shard's scores; the values that users' code gave are taken as they are.

    So is what came of a rendering that was stopped, then or now: how long one takes, another time may tell otherwise.
    """
    keys = [
        (subject.task, subject.sample, subject.target, subject.trial, metric.name, name)
        for metric, subjects in about
        for subject in subjects
        for name in names_of(metric)
    ]
    check_keys(path, map(SCORE_KEY, stored), keys)
    for score in stored:
        if (score.value is None) == (score.outcome == "scored"):
            raise Differs(path, f"value of a score that is {score.outcome!r}", sample=score.sample, stored=score.value)
    watch = Unwatched()
    for metric, subjects in about if exact else ():
        own = [score for score in stored if score.metric == metric.name]
        match metric:
            case Computed():
                expected = list(computed_scores(metric, subjects, watch))
                stopped = {SCORE_KEY(score) for score in (*own, *expected) if STOPPED in (score.error or "")}
                own, expected = (
                    [score for score in scores if SCORE_KEY(score) not in stopped] for scores in (own, expected)
                )
                check_rows(path, own, expected, SCORE_KEY)
            case Judge():
                check_rows(path, own, list(verdicts(metric, subjects, calls)), SCORE_KEY)
            case Code():
                pass
            case _:
                assert_never(metric)


def _same(name: str, stored: Any, expected: Any) -> bool:
    if name == "repeats" and stored and expected:
        return stored.keys() == expected.keys() and all(_same(key, stored[key], expected[key]) for key in expected)
    if name in CLOSE and stored is not None and expected is not None:
        return isclose(stored, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(stored == expected)


def _names(row: Output | Score | Summary) -> list[str]:
    return [field.name for field in fields(row)]


def _sample(key: Key) -> int | None:
    return next((part for part in key if isinstance(part, int)), None)
