"""A job that goes over another one's ground: which of its calls are made again, and which are taken over."""

from typing import Final, Literal, Self, get_args

from core.endpoint import Frozen
from core.errors import SpecInvalid
from core.job import Job
from core.result import Outcome

AskedAgain = Literal[
    "output_unparsable",
    "judge_unparsable",
    "judge_error",
    "metric_error",
    "target_error",
    "refused",
    "not_attempted",
    "cancelled",
]
"""The outcomes that another try may better: not a score, and no row that lacks a field, since it lacks it again."""

ASKED_AGAIN: Final[tuple[AskedAgain, ...]] = get_args(AskedAgain)

OF_TARGETS: Final[frozenset[Outcome]] = frozenset(
    {"output_unparsable", "target_error", "refused", "not_attempted", "cancelled"}
)
"""The outcomes for which a target is asked again."""

OF_JUDGES: Final[frozenset[Outcome]] = frozenset({"judge_unparsable", "judge_error", "not_attempted", "cancelled"})
"""The outcomes for which a judge is asked again about the same output."""


class Retry(Frozen):
    """What is made again of the job `of`: all that ended in one of the outcomes `only`, and all calls to `judges`.

    Unless `targets`, no target is asked again. What was never asked for is made in any case.
    """

    of: str
    only: tuple[AskedAgain, ...] = ASKED_AGAIN
    targets: bool = True
    judges: tuple[str, ...] = ()

    @classmethod
    def of_job(cls, job: Job) -> Self | None:
        """Return what a job makes again of another one; None for a job of its own. Raises SpecInvalid."""
        if job.retry_of is None:
            return None
        found = job.request.get("retry")
        if not isinstance(found, dict):
            raise SpecInvalid(f"job {job.id} retries {job.retry_of}, and does not say what of it")
        return cls.model_validate(found)
