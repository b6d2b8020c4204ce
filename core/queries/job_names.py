"""Which job is meant by what people call it: its id, what no other id begins with, or its name."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from core.errors import Conflict, InvalidInput, NotFound
from core.job import JobStatus

MOST_TOLD: Final = 5
"""So many jobs are named of those that could be meant."""


class Called(NamedTuple):
    """What a job is called, and how it is."""

    id: str
    name: str | None
    status: JobStatus | None


def meant(named: str, candidates: Sequence[Called], *, completed: bool = False) -> str:
    """Return the id of the job that is called so: by its id, else by its name, else by the start of its id.

    Where a `completed` one is wanted, the first such of its name is meant, and otherwise the only one.
    Raises NotFound, InvalidInput if several could be meant, and Conflict for a name of which no job is completed.
    """
    if any(each.id == named for each in candidates):
        return named
    if of_name := [each for each in candidates if each.name == named]:
        return _completed(named, of_name) if completed else _only(f"several jobs are called {named!r}", of_name)
    starting = [each for each in candidates if named and each.id.startswith(named)]
    if not starting:
        raise NotFound(f"no job has the id or the name {named!r}, or an id that begins so")
    return _only(f"the ids of several jobs begin with {named!r}", starting)


def _completed(named: str, jobs: Sequence[Called]) -> str:
    found = next((each.id for each in jobs if each.status == "completed"), None)
    if found is None:
        raise Conflict(f"no job named {named!r} is completed; name one by its id: {jobs[0].id} is {jobs[0].status}")
    return found


def _only(problem: str, jobs: Sequence[Called]) -> str:
    if len(jobs) > 1:
        told = [f"{each.id} ({each.name})" if each.name not in (None, each.id) else each.id for each in jobs]
        raise InvalidInput(f"{problem}: {', '.join([*told[:MOST_TOLD], *['…'] * (len(told) > MOST_TOLD)])}")
    return jobs[0].id
