"""Which samples a report has: those that regressed, failed or have no score, then those of the lowest scores."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

from core.queries.samples import AnyOf, Compared, Selection
from store.results.folder import JobFolder
from store.results.sample_sql import Position, ScoreName
from store.results.samples import Samples

BLOCK: Final = 500
"""Rows that are looked up at once; a sample has one for each target and trial."""

FAILED: Final = Selection((AnyOf(("passed",), (False,)),))
EXCLUDED: Final = Selection((Compared(("outcome",), "neq", "scored"),))


class Chosen(NamedTuple):
    """A sample, and why it is shown."""

    task: str
    number: int
    why: str


def choose(folder: JobFolder, regressed: Sequence[Chosen], most: int) -> tuple[list[Chosen], int]:
    """Return up to `most` of a job's samples, the most telling first, and how many samples can be shown in all."""
    with Samples.open(folder) as samples:
        telling = chain(regressed, _found(samples, FAILED, "failed"), _found(samples, EXCLUDED, "not scored"))
        others = chain(_lowest(samples), _found(samples, Selection(), ""))
        return list(islice(_once(chain(telling, others)), most)), samples.coverage.generated


def _once(found: Iterable[Chosen]) -> Iterator[Chosen]:
    seen: set[tuple[str, int]] = set()
    for each in found:
        if each[:2] not in seen:
            seen.add(each[:2])
            yield each


def _lowest(samples: Samples) -> Iterator[Chosen]:
    """Yield the samples of the lowest values, of one score after the other in turn."""
    waiting = [_lowest_of(samples, score) for score in samples.names.scores]
    while waiting:
        for each in list(waiting):
            if (chosen := next(each, None)) is None:
                waiting.remove(each)
            else:
                yield chosen


def _lowest_of(samples: Samples, score: ScoreName) -> Iterator[Chosen]:
    metric, name = score
    title = metric if metric == name else f"{metric} / {name}"
    for each in _rows(samples, Selection(sort=("score", "/".join(score)))):
        if each.value is not None:
            yield Chosen(each.task, each.sample, f"{each.value:g} in {title}")


def _found(samples: Samples, selection: Selection, why: str) -> Iterator[Chosen]:
    return (Chosen(each.task, each.sample, why) for each in _rows(samples, selection))


def _rows(samples: Samples, selection: Selection) -> Iterator[Position]:
    after: Position | None = None
    while rows := samples.find(selection, limit=BLOCK, after=after):
        yield from rows
        after = rows[-1]
