"""What the reconciler remembers of an open job between two looks, by its own clock."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from core.job import Progress
from flows.control.status import RunState

QUEUED_S = 3.0
"""A run that is not taken up for so long waits for a worker with room."""

SILENT_S = 3.0
"""After so long without a report an engine may be dead; its folder's lock decides."""

UNSTARTED_S = 15.0
"""A run that is pending, or runs and never reported, is lost after so long."""

UNCONFIRMED_S = 10.0
"""So long a finished engine may take to tell Prefect, and a crash report may come late."""

SET_ASIDE: Final[frozenset[RunState]] = frozenset({"scheduled", "paused", "suspended", "resuming"})
"""The states in which a run has no engine, unless one has not heard of it yet."""


@dataclass
class Watch:
    """The state of a job's flow run, the age of its engine's last report, and how far the job had come by then.

    `extent` is how far it was on disk when an engine died last. `former` is the last report of an engine whose run
    has been set aside since, and says nothing of the next; `resumed` is a run that the job's user had go on.
    """

    run: RunState = "none"
    run_since: float = 0.0
    heartbeat: datetime | None = None
    heartbeat_since: float = field(default_factory=time.monotonic)
    most_done: int | None = None
    extent: tuple[int, int] | None = None
    has_advanced: bool = False
    former: datetime | None = None
    resumed: bool = False

    def note_run(self, run: RunState) -> None:
        """Take note of the run's state."""
        if run != self.run:
            self.run, self.run_since = run, time.monotonic()
            self.resumed = self.resumed and run == "resuming"
            if run in SET_ASIDE:
                self.former = self.heartbeat

    def note_report(self, report: Progress | None) -> None:
        """Take note of the engine's report, if it is a new one, and of whether it is further than any before."""
        if report and report.heartbeat_at != self.heartbeat:
            if self.run in SET_ASIDE:
                self.former = report.heartbeat_at
            self.heartbeat, self.heartbeat_since = report.heartbeat_at, time.monotonic()
            done = sum(count.done for stages in report.counts.values() for count in stages.values())
            self.has_advanced = self.has_advanced or (self.most_done is not None and done > self.most_done)
            self.most_done = max(done, self.most_done or 0)

    def note_death(self, extent: tuple[int, int]) -> None:
        """Take note of how far the job is on disk; an engine may have died before it could report that."""
        self.has_advanced = self.has_advanced or (self.extent is not None and extent > self.extent)
        self.extent = extent

    @property
    def waits_for_a_worker(self) -> bool:
        """Whether the run has been left lying for so long that its job should say why."""
        return self.run == "scheduled" and time.monotonic() - self.run_since >= QUEUED_S

    def engine_is_dead(self, report: Progress | None) -> bool:
        """Tell whether the run's engine has died, provided that nobody holds the job's folder."""
        now = time.monotonic()
        silent_s, in_state_s = now - self.heartbeat_since, now - self.run_since
        if report and report.heartbeat_at == self.former:
            report = None
        match self.run:
            case "crashed":
                return in_state_s >= UNCONFIRMED_S
            case "pending":
                return min(silent_s, in_state_s) >= UNSTARTED_S
            case "running" | "cancelling" if report is None:
                return in_state_s >= UNSTARTED_S
            case "running" | "cancelling" if report and report.results_ready_at:
                return silent_s >= UNCONFIRMED_S
            case "running" | "cancelling":
                return silent_s >= SILENT_S
        return False
