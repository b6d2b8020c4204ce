"""`assay plan`: how many samples a question takes, or what so many can tell."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace

from cyclopts import Parameter

from cli.client import Client, JsonDict
from cli.terminal import say, say_json
from core.errors import InvalidInput
from core.planning import Aim, Noise, Plan, inflation_of, noise_of_trials, plan
from core.stats.power import POWER


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted: one of the first three.

    Args:
        mde: The least difference that is to be found.
        half_width: How far an interval may reach each way: of the share with --passing, else of the mean difference.
        samples: How many there are to be, to be told what they can find.
        alpha: How often chance may be taken for a difference.
        power: How often a difference of that size is to be found.
        available: How many samples there are; if the plan takes more, what all of them can find is told beside it.
    """

    mde: float | None = None
    half_width: float | None = None
    samples: int | None = None
    alpha: float = 0.05
    power: float = POWER
    available: int | None = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Assumed:
    """What is assumed of samples, where no comparison is named: one of the first three, or --between and --within.

    Args:
        deviation: The standard deviation of single differences, in the score's units.
        changed: The share of checks that turn out otherwise on the other side, one way or the other.
        passing: The share of checks that pass; too many samples are planned where what is hard is hard for both sides.
        between: The variance of differences between samples, with --within and --trials.
        within: The variance within a sample, of which each of the trials has a part.
        trials: How often each sample is asked.
        cluster_size: How many samples belong together, on average, with --icc.
        icc: How much those are alike, from 0 to 1: their correlation.
    """

    deviation: float | None = None
    changed: float | None = None
    passing: float | None = None
    between: float | None = None
    within: float | None = None
    trials: int | None = None
    cluster_size: float | None = None
    icc: float | None = None


_NAMES = re.compile(rf"\b({'|'.join(field.name for field in (*fields(Wanted), *fields(Assumed)))})(?=[,:]|$)")
"""The names of what is wanted and assumed, where a sentence lists them or begins with one."""


@contextmanager
def _naming_options() -> Iterator[None]:
    """Have errors name options as they are typed."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(_NAMES.sub(lambda name: f"--{name[1].replace('_', '-')}", error.message)) from error


def show_plan(sides: Sequence[str], score: str | None, wanted: Wanted, assumed: Assumed, *, as_json: bool) -> int:
    """Print the plan; from a stored comparison of two sides, or from what is assumed. Raises InvalidInput."""
    with _naming_options():
        aim = Aim(wanted.mde, wanted.half_width, wanted.samples, wanted.alpha, wanted.power)
        noise, available = (_observed if sides else _assumed)(sides, score, assumed)
        available = wanted.available or available
        planned = plan(noise, aim)
        beyond = None
        if available is not None and available < planned.samples:
            beyond = plan(noise, replace(aim, mde=None, half=None, samples=available))
    if as_json:
        within = {"available": available, "with_available": beyond and asdict(beyond)}
        say_json(asdict(planned) | within, indent=2)
    else:
        for line in _told(planned, available, beyond):
            say(line)
    return 0


def _observed(sides: Sequence[str], named: str | None, assumed: Assumed) -> tuple[Noise, int | None]:
    """Return how the differences of a stored comparison vary, and how many samples its sides have."""
    if len(sides) != 2:
        raise InvalidInput("name both results of a comparison, BASELINE and CANDIDATE, or neither")
    if asdict(assumed) != asdict(Assumed()):
        raise InvalidInput("the comparison says how samples vary; name no assumptions beside it")
    found = Client().compare(baseline=sides[0], candidate=sides[1])
    score = _chosen(found["scores"], named)
    deviation, error = score["standard_deviation"], score["standard_error"]
    if not deviation:
        raise InvalidInput("no score differs between the two results; assume how much may change: --changed SHARE")
    inflation = 1.0
    if score["clusters"] is not None and error is not None:
        inflation = max(1.0, score["n"] * (error / deviation) ** 2)
    [task] = (each for each in found["tasks"] if each["task"] == score["task"])
    return Noise(deviation, inflation=inflation), task["pairs"] + task["only_baseline"]


def _assumed(sides: Sequence[str], named: str | None, assumed: Assumed) -> tuple[Noise, int | None]:
    """Return how samples are assumed to vary."""
    if named is not None:
        raise InvalidInput("--score: there is no comparison of which it could be one; name BASELINE and CANDIDATE")
    parts, cluster = (assumed.between, assumed.within, assumed.trials), (assumed.cluster_size, assumed.icc)
    between, within, trials = parts
    if between is not None and within is not None and trials is not None:
        if (assumed.deviation, assumed.changed, assumed.passing) != (None, None, None):
            raise InvalidInput("--between and --within say how differences vary; name no other assumption")
        noise = noise_of_trials(between, within, trials)
    elif parts != (None, None, None):
        raise InvalidInput("--between, --within and --trials go together")
    else:
        noise = Noise(assumed.deviation, assumed.changed, assumed.passing)
    size, correlation = cluster
    if size is not None and correlation is not None:
        return replace(noise, inflation=inflation_of(size, correlation)), None
    if cluster != (None, None):
        raise InvalidInput("--cluster-size and --icc go together")
    return noise, None


def _chosen(scores: Sequence[JsonDict], named: str | None) -> JsonDict:
    names = {f"{score['metric']}/{score['name']}": score for score in scores}
    own = [score for name, score in names.items() if named in (None, name, score["metric"], score["name"])]
    if len(own) != 1:
        told = "which score is meant?" if own else f"there is no score {named!r};"
        raise InvalidInput(f"--score: {told} name one of: {', '.join(names)}")
    return own[0]


def _told(planned: Plan, available: int | None, beyond: Plan | None) -> list[str]:
    lines = [_finds(planned)]
    if planned.inflation != 1:
        lines.append(f"Samples that belong together take {planned.inflation:.2f} times as many, which is in it.")
    if beyond is not None:
        lines.append(f"There are only {available:,}. {_finds(beyond)}")
    return lines


def _finds(planned: Plan) -> str:
    if planned.mde is None:
        return f"{planned.samples:,} samples find no difference that there can be."
    found = f"a difference of {planned.mde:.3g} in {100 * planned.power:g} of 100 runs, at alpha {planned.alpha:g}"
    half = "has no interval" if planned.half_width is None else f"is known to within {planned.half_width:.3g}"
    return f"{planned.samples:,} samples find {found}; the {planned.about} {half}."
