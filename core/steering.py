"""What a job's user may want of it, by its status, and what it shows at once."""

from typing import Final, get_args

from core.errors import Conflict
from core.job import TERMINAL, Intent, JobStatus

OPEN: Final[frozenset[JobStatus]] = frozenset(get_args(JobStatus)) - TERMINAL
"""The statuses from which a job still goes on."""

TURNING: Final[frozenset[JobStatus]] = frozenset({"pausing", "resuming", "cancelling"})
"""The statuses of a job that becomes what its user wants of it."""

CAN_PAUSE: Final[frozenset[JobStatus]] = frozenset({"created", "pending", "running", "resuming"})
CAN_RESUME: Final[frozenset[JobStatus]] = frozenset({"pausing", "paused"})


def passing_status(status: JobStatus, intent: Intent) -> JobStatus:
    """Return the status that a job shows as soon as the user wants `intent` of it.

    Raises Conflict where that makes no sense.
    """
    match intent:
        case "delete":
            return status
        case "pause" if status in CAN_PAUSE:
            return "pausing"
        case "run" if status in CAN_RESUME:
            return "resuming"
        case "cancel" if status in OPEN:
            return "cancelling"
    verb = {"pause": "paused", "run": "resumed", "cancel": "cancelled"}[intent]
    raise Conflict(f"Job is {status} and cannot be {verb}")
