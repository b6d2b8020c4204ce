"""The names of the scores that a metric gives, and which of a job's is meant by one."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final, assert_never

from core.errors import InvalidInput
from core.metric import Bleu, Code, Computed, Judge, Labels, MetricSpec, Parsed, Preference, Range, Scale
from core.spec import EvaluationSpec

SCORE: Final = "score"
"""The name of the score of a user's code."""

CORPUS: Final = "corpus"
"""The name of the BLEU of all samples together."""

Named = tuple[str, str]
"""A metric, and the name of a score of it."""


def names_of(metric: MetricSpec) -> tuple[str, ...]:
    """Return the names of the scores that a metric gives each sample."""
    match metric:
        case Computed():
            return metric.scores
        case Judge():
            return names_of_scale(metric.scale)
        case Code():
            return (SCORE,)
        case _:
            assert_never(metric)


def names_of_scale(scale: Scale) -> tuple[str, ...]:
    """Return the names of a judge's scores: those of a Parsed scale, otherwise `label`, `score` or `choice`."""
    match scale:
        case Parsed():
            return tuple(scale.scores)
        case Labels():
            return ("label",)
        case Range():
            return ("score",)
        case Preference():
            return ("choice",)
        case _:
            assert_never(scale)


def names_of_summaries(spec: EvaluationSpec) -> list[Named]:
    """Return the scores that a specification's summaries are of."""
    named: list[Named] = []
    for metric in (metric for task in spec.tasks for metric in task.metrics):
        corpus = [CORPUS] if isinstance(metric, Bleu) and metric.score is None else []
        named += ((metric.name, name) for name in (*names_of(metric), *corpus))
    return list(dict.fromkeys(named))


def find_named(called: str, known: Iterable[Named]) -> Named:
    """Return the score that is called METRIC/NAME, or METRIC where it is that one's only score.

    Raises InvalidInput, naming those that there are, if it is none of them or may be several.
    """
    known = list(dict.fromkeys(known))
    found = [each for each in known if called in (each[0], "/".join(each))]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidInput(f"{called!r} may be any of several scores: name one of {_listed(found)}")
    near = get_close_matches(called, [name for each in known for name in (each[0], "/".join(each))], n=1)
    remedy = f"is {near[0]!r} meant, of" if near else "name one of"
    raise InvalidInput(f"there is no score of a metric {called!r}: {remedy} {_listed(known) or 'none'}")


def _listed(named: Sequence[Named]) -> str:
    return ", ".join(map("/".join, named))
