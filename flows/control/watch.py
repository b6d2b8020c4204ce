"""What the reconciler remembers of an open job between two looks, by its own clock."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from core.job import Progress
from flows.control.runs import Run
from flows.control.status import RunState

QUEUED_S = 3.0
"""A run that is not taken up for so long waits for a worker with room."""

SILENT_S = 3.0
"""After so long without a report an engine may be dead; its folder's lock decides."""

UNSTARTED_S = 15.0
"""A run that is pending, or runs and has not reported, is lost after so long."""

UNCONFIRMED_S = 10.0
"""So long a finished engine may take to tell Prefect, and a crash report may come late."""

SET_ASIDE: Final[frozenset[RunState]] = frozenset({"scheduled", "paused", "suspended", "resuming"})
"""The states in which a run has no engine, unless one has not heard of it yet."""


@dataclass
class Watch:
    """The state of a job's flow run, and the age of its engine's last report.

    `attempt` is how often the run has begun; what was reported of an earlier attempt is of another engine. `former` is
    the last report of an engine whose run has been set aside since, and says nothing of the next, since a run that is
    resumed does not begin again; `resumed` is a run that the job's user had go on.
    """

    run: RunState = "none"
    run_since: float = 0.0
    attempt: int = 0
    deployment: UUID | None = None
    heartbeat: datetime | None = None
    heartbeat_since: float = field(default_factory=time.monotonic)
    former: datetime | None = None
    resumed: bool = False

    def note_run(self, run: RunState) -> None:
        """Take note of the run's state."""
        if run != self.run:
            self.run, self.run_since = run, time.monotonic()
            self.resumed = self.resumed and run == "resuming"
            if run in SET_ASIDE:
                self.former = self.heartbeat

    def note(self, run: Run) -> None:
        """Take note of what Prefect says of the run."""
        self.note_run(run.state)
        self.attempt, self.deployment = run.attempt, run.deployment

    def note_report(self, report: Progress | None) -> None:
        """Take note of the engine's report, if it is a new one."""
        if report and report.heartbeat_at != self.heartbeat:
            if self.run in SET_ASIDE and report.attempt <= self.attempt:
                self.former = report.heartbeat_at
            self.heartbeat, self.heartbeat_since = report.heartbeat_at, time.monotonic()

    def note_outage(self, seconds: float) -> None:
        """Take note that Prefect told nothing for so long: no run could go on to its next state, nor be seen to."""
        self.run_since = min(self.run_since + seconds, time.monotonic())

    @property
    def is_queued(self) -> bool:
        """Whether the run has still to be taken up by a worker."""
        return self.run in ("none", "scheduled", "pending", "resuming")

    @property
    def waits_for_a_worker(self) -> bool:
        """Whether the run has been left lying for so long that its job should say why."""
        return self.run == "scheduled" and time.monotonic() - self.run_since >= QUEUED_S

    def has_heard(self, report: Progress | None) -> bool:
        """Tell whether a report is of the engine that the run has now, and not of one before."""
        return report is not None and report.heartbeat_at != self.former and report.attempt >= self.attempt

    def engine_is_dead(self, report: Progress | None) -> bool:
        """Tell whether the run's engine has died, provided that nobody holds the job's folder."""
        now = time.monotonic()
        silent_s, in_state_s = now - self.heartbeat_since, now - self.run_since
        match self.run:
            case "crashed":
                return in_state_s >= UNCONFIRMED_S
            case "pending":
                return min(silent_s, in_state_s) >= UNSTARTED_S
            case "running" | "cancelling" if not self.has_heard(report):
                return in_state_s >= UNSTARTED_S
            case "running" | "cancelling" if report and report.results_ready_at:
                return silent_s >= UNCONFIRMED_S
            case "running" | "cancelling":
                return silent_s >= SILENT_S
        return False
