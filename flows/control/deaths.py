"""How many deaths of its engines a job is allowed: those count that had a chance to bring it further, and did not."""

from dataclasses import replace
from typing import Final

from core.job import Deaths, Failure, Progress
from flows.control.watch import Watch

MAX_CRASHES: Final = 3
"""The deaths that count which a job may have in a row without coming further."""

MAX_DEATHS: Final = 20
"""All its deaths in a row: a job may kill each engine before that can do anything."""

CHANCE_S: Final = 3.0
"""For so long an engine must have held its job; what dies sooner was rather killed, as with the whole service."""


def after_death(before: Deaths, extent: tuple[int, int], *, stopped: bool, counts: bool) -> Deaths:
    """Return what is known after one more death; one of a worker that was told to stop is none."""
    if extent > before.extent:
        before = Deaths(extent=extent)
    if stopped:
        return before
    return replace(before, counted=before.counted + counts, total=before.total + 1)


def had_a_chance(watch: Watch, report: Progress | None) -> bool:
    """Tell whether a dead engine could have brought its job further: it held it for long, or Prefect saw it crash."""
    if watch.run == "crashed":
        return True
    return report is not None and watch.has_heard(report) and report.worked_s >= CHANCE_S


def too_many(deaths: Deaths) -> Failure | None:
    """Return why a job fails after so many deaths; None if it may go on."""
    if deaths.counted <= MAX_CRASHES and deaths.total <= MAX_DEATHS:
        return None
    message = f"The worker died {deaths.total} times while at this job, which came no further."
    return Failure(blame="service", code="crashed", message=message)
