"""How a job's engine reports how far it is, and hears with that what the user wants of the job."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from core.errors import AssayError, StorageFailed
from core.job import Failure, Intent, Progress, utcnow
from core.result import ModelUsage
from store.workspace import Workspace
from tasks.engine.calls import Calls, Stopped
from tasks.engine.counts import Counts
from tasks.engine.fence import Fence
from tasks.engine.journals import OpenJournals
from tasks.engine.log import MaskedLog
from tasks.engine.routes import Routes
from tasks.engine.tenure import awake_s

T = TypeVar("T")

REPORT_INTERVAL_S: Final = 1.0

STORAGE_DELAYS_S: Final = (1.0, 5.0)
"""Before the second and the last attempt at what could not be kept."""


@dataclass
class Report:
    """Tells of the `attempt` at a job that a `worker` makes; where that `visits`, the engine that it visits does.

    `usage` is told once it is known, when all calls are made.
    """

    workspace: Workspace
    job_id: str
    attempt: int
    worker: str
    log: MaskedLog
    calls: Calls
    routes: Routes
    counts: Counts
    journals: OpenJournals
    fence: Fence
    visits: bool = field(default=False, init=False)
    began_at: datetime | None = field(default=None, init=False)
    usage: tuple[ModelUsage, ...] | None = field(default=None, init=False)
    _results_ready_at: datetime | None = field(default=None, init=False)
    _failure: Failure | None = field(default=None, init=False)

    @contextmanager
    def ongoing(self, name: str) -> Iterator[None]:
        """Report once a second in a thread, and for the last time once no call is in flight."""
        done = threading.Event()
        thread = threading.Thread(target=self._keep_on, args=(done,), name=f"{name}-{self.job_id}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.calls.cease()
            done.set()
            thread.join()
            self._tell_bounds()
            with suppress(StorageFailed):  # what matters was reported as it came about
                self.send()
                self._add_up()

    def finished(self, *, failure: Failure | None = None) -> None:
        """Tell that the results are complete, or why they never will be. Raises Stopped if the job is another's."""
        if failure:
            self.log.write(failure.message, level="ERROR")
        self._results_ready_at = utcnow() if failure is None else None
        self._failure = failure
        self.send()
        if self.calls.stop == "superseded":
            raise Stopped

    def send(self) -> None:
        """Tell how far the job is, unless it is another engine's by now, and heed the user's intent."""
        if self.calls.stop != "superseded":
            with self.fence.giving_way():
                self._obey(self._hear())

    def step(self) -> None:
        """Do all that is due once a second."""
        for due in (self._sync, self._tell_bounds, self.send, self._add_up):
            try:
                due()
            except Exception as error:
                # What fails is due again in a second; the calls are in the journals.
                self.log.write(f"Could not report: {error}", level="ERROR")

    def _keep_on(self, done: threading.Event) -> None:
        while not done.wait(REPORT_INTERVAL_S):
            self.step()

    def _sync(self) -> None:
        self.journals.sync_soon()
        self.log.file.sync_soon()

    def _tell_bounds(self) -> None:
        for news in self.routes.news():
            self.log.write(news)

    def _hear(self) -> Intent:
        """Write the progress and renew the lease, unless another engine does; returns what the user wants."""
        jobs, asked_at, tenure = self.workspace.jobs, awake_s(), self.fence.tenure
        if self.visits:
            if tenure is not None:
                tenure.ask()
            return jobs.intent(self.job_id)
        intent = jobs.report(self._progress(), self.fence.lease)
        if tenure is not None:
            tenure.renewed(asked_at)
        return intent

    def _obey(self, intent: Intent) -> None:
        if intent in ("cancel", "delete"):
            self.calls.halt("cancel")
        elif intent == "pause":
            self.calls.halt("pause")

    def _add_up(self) -> None:
        """Add what the calls came to since the last time to the figures of all jobs."""
        added = self.calls.tally.take()
        try:
            self.workspace.measures.add(added)
        except AssayError:
            self.calls.tally.give_back(added)
            raise

    def _progress(self) -> Progress:
        return Progress(
            job_id=self.job_id,
            attempt=self.attempt,
            worker=self.worker,
            heartbeat_at=utcnow(),
            counts=self.counts.now(),
            results_ready_at=self._results_ready_at,
            failure=self._failure,
            began_at=self.began_at,
            bounds=self.routes.bounds(),
            usage=self.usage,
        )


def insist(step: Callable[[], T]) -> T:
    """Return what a step comes to without which nothing may be done; it is tried again if it cannot be kept."""
    for delay_s in STORAGE_DELAYS_S:
        with suppress(StorageFailed):
            return step()
        time.sleep(delay_s)
    return step()
