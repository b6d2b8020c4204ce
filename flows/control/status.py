"""The job's next status, from where it is, what Prefect says and what the user wants.

One total function; each face maps the result onto its own words by a table.
"""

from typing import Final, Literal, assert_never

from core.job import TERMINAL, Intent, JobStatus

RunState = Literal[
    "none",
    "gone",
    "scheduled",
    "pending",
    "running",
    "paused",
    "suspended",
    "resuming",
    "cancelling",
    "cancelled",
    "completed",
    "failed",
    "crashed",
]
"""The state of a flow run: Prefect's state types, `resuming` by its name, and three of ours.

`none` is a job that has no flow run yet, `gone` one whose flow run Prefect no longer knows. `suspended` is one that is
paused by its own engine, since that was wanted of the job, and not by somebody in Prefect.
"""

OWN_PAUSE: Final = "assay-"
"""How the keys begin by which engines pause their runs."""

BEGUN: frozenset[JobStatus] = frozenset({"running", "pausing", "paused", "resuming"})
"""A job that has been in one of these has once run; Prefect may run it again after a crash."""


def run_state(state_type: str, state_name: str, pause_key: str | None = None) -> RunState:
    """Return the run state for a Prefect state's type, name and key; names are the user's to change."""
    if state_name == "Resuming":
        return "resuming"
    if state_type == "PAUSED" and (pause_key or "").startswith(OWN_PAUSE):
        return "suspended"
    state: RunState = state_type.lower()  # type: ignore[assignment]  # Prefect's types are ours, in capitals
    return state


def next_status(current: JobStatus, run: RunState, intent: Intent) -> JobStatus:
    """Return the status that follows `current`; a terminal one is final."""
    if current in TERMINAL:
        return current
    match run:
        case "completed" | "cancelled" | "failed":
            return run
        case "gone":
            return "cancelled" if intent in ("cancel", "delete") else "unknown"
        case "cancelling":
            return "cancelling"
        case "none" | "scheduled" | "pending" | "running" | "paused" | "suspended" | "resuming" | "crashed":
            return _open_status(current, run, intent)
        case _:
            assert_never(run)


OpenState = Literal["none", "scheduled", "pending", "running", "paused", "suspended", "resuming", "crashed"]


def _open_status(current: JobStatus, run: OpenState, intent: Intent) -> JobStatus:
    if intent in ("cancel", "delete"):
        return "cancelled" if run in ("none", "crashed") else "cancelling"
    if intent == "pause":
        # A job that is paused stays so until it is resumed, wherever that is done.
        return "paused" if current == "paused" or run in ("none", "paused", "suspended") else "pausing"
    return _going_status(current, run)


def _going_status(current: JobStatus, run: OpenState) -> JobStatus:
    """Return the status of an open job that shall go on."""
    match run:
        case "running":
            return "running"
        case "resuming" | "suspended":
            return "resuming"
        case "paused":
            return "resuming" if current == "resuming" else "paused"
        case "crashed":
            return current
        case "pending" | "scheduled" | "none":
            if current in BEGUN:
                return "resuming" if current == "resuming" else "running"
            return "pending" if run == "pending" or current == "pending" else "created"
        case _:
            assert_never(run)
