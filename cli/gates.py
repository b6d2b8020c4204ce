"""What CI asks of results: whether a gate holds, as an exit code and a line that says why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal, NamedTuple

from cyclopts import Parameter

from cli.client import JsonDict
from core import shown
from core.errors import InvalidInput
from core.result import Summary
from core.score_names import find_named

Require = Literal["better", "equivalent", "non-inferior"]
FailOn = Literal["worse"]
By = Literal["interval", "mean"]

PASSED: Final = 0
FAILED: Final = 1
INCONCLUSIVE: Final = 3
"""What a command ends with: the gate holds, it does not, or nobody can tell yet."""

WORDS: Final = {PASSED: "passed", FAILED: "failed", INCONCLUSIVE: "inconclusive"}


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of a comparison; without either it is that nothing be worse.

    Args:
        require: Better, equivalent or non-inferior: what all scores that decide must be.
        fail_on: Worse: no score that decides may be worse, whatever else is required.
    """

    require: Require | None = None
    fail_on: FailOn | None = None


class Finding(NamedTuple):
    """What one demand comes to, and why."""

    code: int
    why: str


@dataclass(frozen=True, slots=True)
class Gate:
    """What is asked of a job's summaries: the least of some metrics, and how many samples may lack a score."""

    least: tuple[tuple[str, float], ...] = ()
    by: By = "interval"
    max_excluded: float | None = None

    def __bool__(self) -> bool:
        """Whether anything is asked."""
        return bool(self.least) or self.max_excluded is not None


def read_gate(least: Sequence[str], by: By, max_excluded: float | None) -> Gate:
    """Return the gate of a command's options. Raises InvalidInput, naming the one that is wrong."""
    if max_excluded is not None and not 0 <= max_excluded <= 1:
        raise InvalidInput(f"--max-excluded: a share is between 0 and 1, and not {max_excluded}")
    if by != "interval" and not least:
        raise InvalidInput(f"--by {by}: it says what must reach a --min, and there is none")
    return Gate(tuple(map(_read_least, least)), by, max_excluded)


def check_summaries(summaries: Sequence[Summary], gate: Gate) -> tuple[int, str]:
    """Return an exit code and why. Raises InvalidInput for a score that the job does not have, or several may be."""
    findings = [*_excluded(summaries, gate.max_excluded)]
    for metric, least in gate.least:
        named = find_named(metric, ((each.metric, each.name) for each in summaries))
        own = (each for each in summaries if (each.metric, each.name) == named)
        findings += [_at_least(each, least, gate.by) for each in own]
    code = next(code for code in (FAILED, INCONCLUSIVE, PASSED) if any(found.code == code for found in findings))
    return code, f"{WORDS[code]}: {'; '.join(found.why for found in findings if found.code == code)}"


def check_comparison(scores: Sequence[JsonDict], demand: Demand) -> tuple[int, str]:
    """Return an exit code and why: all scores that decide must meet what is asked."""
    require = demand.require
    deciding = [score for score in scores if score["primary"]]
    worse = [score for score in deciding if score["verdict"] == "worse"]
    if worse and (demand.fail_on or require is None):
        return FAILED, f"failed: {_named(worse)} worse"
    if require is None:
        return PASSED, "passed: nothing is surely worse"
    short = [score for score in deciding if not _meets(score, require)]
    if not short:
        return PASSED, f"passed: {_named(deciding)} {require}"
    decided = [score for score in short if score["verdict"] != "inconclusive"]
    if decided:
        return FAILED, f"failed: {_named(decided)} {decided[0]['verdict']}, not {require}"
    return INCONCLUSIVE, f"inconclusive: nobody can tell yet whether {_named(short)} {require}"


def _read_least(text: str) -> tuple[str, float]:
    metric, _, value = text.rpartition("=")
    try:
        least = float(value)
    except ValueError:
        least = float("nan")
    if not (metric and isfinite(least)):
        raise InvalidInput(f"--min: write METRIC=VALUE, as in correct=0.8, and not {text!r}")
    return metric, least


def _excluded(summaries: Sequence[Summary], most: float | None) -> Iterator[Finding]:
    if most is None:
        return
    many = [each for each in summaries if each.nan_count > most * (each.count + each.nan_count)]
    for each in many:
        yield Finding(
            FAILED, f"{shown.title(each)}: {shown.scored(each)} scored, and a share of more than {most:g} excluded"
        )
    if not many:
        yield Finding(PASSED, f"of no score is a share of more than {most:g} excluded")


def _at_least(summary: Summary, least: float, by: By) -> Finding:
    low, high = (summary.mean, summary.mean) if by == "mean" else (summary.ci_low, summary.ci_high)
    figure = f"{shown.title(summary)}: {shown.mean(summary)}"
    if low is None or high is None:
        return Finding(INCONCLUSIVE, f"{figure} tells nothing about {least:g}")
    if low >= least:
        return Finding(PASSED, f"{figure} is at least {least:g}")
    if high < least:
        return Finding(FAILED, f"{figure} is below {least:g}")
    return Finding(INCONCLUSIVE, f"{figure} may be below {least:g}, and may not")


def _meets(score: JsonDict, require: Require) -> bool:
    if require == "non-inferior":
        return bool(score["non_inferior"])
    return bool(score["verdict"] == require)


def _named(scores: Sequence[JsonDict]) -> str:
    names = ", ".join(f"{score['metric']} / {score['name']}" for score in scores)
    return f"{names} {'is' if len(scores) == 1 else 'are'}"
