"""What routes and pages do with the jobs, and the results, that a request names in the words of people."""

from collections.abc import Iterable, Iterator

from api.http.state import State
from core.job import Intent, Job, ListedJob
from store.results.folder import JobFolder
from tasks.comparisons.sides import Side, open_side


def find(state: State, job_id: str) -> ListedJob:
    """Return what lists show of a job, whatever face made it, by its id, a start of that, or its name.

    Raises NotFound, for a deleted one too, and InvalidInput if several are called so.
    """
    return state.jobs.listed(state.jobs.identify(job_id))


def want(state: State, job_id: str, intent: Intent) -> Job:
    """Set what is wanted of a job, and return it. Raises as `Jobs.want` does."""
    job = state.jobs.want(find(state, job_id).id, intent)
    state.wake()
    return job


def named_side(state: State, named: str, trial: int | None) -> Side:
    """Open the result that is called `JOB` or `JOB/TARGET`."""
    job, _, target = named.partition("/")
    return open_side(state.folder(state.jobs.identify(job, completed=True)), target or None, trial)


def alike(state: State, sides: Iterable[Side]) -> dict[str, Iterator[JobFolder]]:
    """Return the results of the jobs that each side's may be a repetition of, by its job."""
    jobs = {side.folder.job_id for side in sides}
    return {job: map(state.folder, state.jobs.alike(job)) for job in jobs}
