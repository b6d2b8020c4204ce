"""One process's hold on one job: what its stages need, what they report, when they must stop."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from platform import node
from typing import Final
from uuid import uuid4

from core.errors import (
    AssayError,
    Misconfigured,
    ResultsMissing,
    ServiceError,
    SpecInvalid,
    StorageFailed,
    forget_values,
)
from core.job import Failure, Job, Stage, utcnow
from core.plan import Manifest, Shard, Share
from core.settings import read_settings
from core.spec import EvaluationSpec, TaskSpec
from store.bounds.database import of_job
from store.db.leases import LEASE_S, Lease, Taken
from store.results.folder import JobFolder
from store.workspace import Workspace
from tasks.engine.calls import Calls, Stop, Stopped
from tasks.engine.counts import Counts
from tasks.engine.fence import Fence
from tasks.engine.journals import OpenJournals
from tasks.engine.keys import Keys
from tasks.engine.log import MaskedLog
from tasks.engine.report import REPORT_INTERVAL_S, Report, insist
from tasks.engine.routes import Routes
from tasks.engine.tenure import Tenure, take, visited
from tasks.shard_end import ShardEnd

WHOLE: Final = Share()


class Engine:
    """Holds a job while its stages run, and has what they run on: calls, routes, journals, a log, a report."""

    def __init__(
        self,
        workspace: Workspace,
        job: Job,
        *,
        attempt: int,
        worker: str,
        tell: Callable[[str], object],
        share: Share = WHOLE,
        hold: str | None = None,
    ) -> None:
        """Take up `job`, or a `share` of its bounds; nothing is written before `engaged` or `joined` is entered.

        `tell` gets what is said of the job. `hold` names the hold on the job of the engine that this one is to visit.
        """
        if job.spec is None:
            raise SpecInvalid(f"job {job.id} has no specification: it was not to be carried out")
        self.workspace = workspace
        self.job = job
        self.spec: EvaluationSpec = job.spec
        self.folder: JobFolder = workspace.folder(job.id)
        self.keys = Keys(workspace.vault)
        self.log = MaskedLog(self.keys, tell)
        ledger = workspace.ledger if hold else None  # what visits in another process is one of several
        self.calls = Calls(self.spec, workspace.settings, share, ledger, of_job(job.id))
        self.routes = Routes(workspace, self.spec.params, self.keys, self.calls.loop)
        self.counts = Counts(self.folder)
        self.ends: dict[tuple[Stage, Shard], ShardEnd] = {}
        """What this engine's shards have come to, for another attempt at the task run that they are part of."""
        self.journals = OpenJournals(self.folder.journals)
        self.fence = Fence(self.calls, self.log.say)
        self.report = Report(
            workspace=workspace,
            job_id=job.id,
            attempt=attempt,
            worker=worker,
            log=self.log,
            calls=self.calls,
            routes=self.routes,
            counts=self.counts,
            journals=self.journals,
            fence=self.fence,
        )
        self._hold = hold or uuid4().hex
        self._manifest: Manifest | None = None

    # The hold.

    @contextmanager
    def engaged(self) -> Iterator[None]:
        """Hold the job's folder and its lease, waiting for another engine to let go, and report until the end.

        What the user wants is heard before the first call, and the folder is let go after the last.
        """
        with self.folder.lock.held(self._hold), self._leased(), self.log.opened(self.folder):
            self.folder.tidy()
            self.report.began_at = utcnow()
            insist(self.report.send)  # what is wanted is heard before anything is done
            with self.report.ongoing("report"):
                yield

    @contextmanager
    def joined(self, block: int) -> Iterator[bool]:
        """Work on a block of the job, beside the engine that holds it; gives whether no other engine does.

        Raises ResultsMissing if the job is not resolved in what this process sees of the results.
        """
        self._read_plan()  # a copy of it, where what is kept is elsewhere, so that there is a folder for the lock
        with self.folder.lock.joined(block) as is_ours:
            tenure = self._taken_block(block) if is_ours else None
            if not is_ours or isinstance(tenure, Taken):
                yield False
                return
            with self._under(tenure), self.log.opened(self.folder):
                self._begin_visit()
                with self.report.ongoing("heed"):
                    yield True

    def visit(self, lease: Lease | None) -> None:
        """Work beside the engine that holds the job by a lease, in another process, as long as it does.

        That one reports. Raises ResultsMissing if it is gone, or if this process sees other results than that engine.
        """
        if lease is not None:
            self._work_under(visited(self.workspace, lease))
        self._read_plan()
        with ExitStack() as visit:
            visit.enter_context(self.folder.lock.shared())
            visit.enter_context(self.log.opened(self.folder))
            self._begin_visit()
            if not self._is_still_held():
                raise ResultsMissing(
                    f"the engine of job {self.job.id} is gone, or has its results in another ASSAY_HOME"
                )
            left = visit.pop_all()
        threading.Thread(target=self._keep_visiting, args=(left,), name=f"visit-{self.job.id}", daemon=True).start()

    def __reduce__(self) -> tuple[type["Visit"], tuple[str, int, str, str, Lease | None]]:
        """Have a process that a task runner sends this engine to get the way to it."""
        return Visit, (self.job.id, self.report.attempt, self.report.worker, self._hold, self.fence.lease)

    @contextmanager
    def _leased(self) -> Iterator[None]:
        """Hold the job's lease, waiting for another engine to let go; the first report hears of a job that is gone."""
        begun = partial(take, self.workspace, self.job.id, self.report.worker)
        while isinstance(taken := insist(begun), Taken):
            time.sleep(min(taken.left_s, REPORT_INTERVAL_S))
        with self._under(taken):
            yield

    def _taken_block(self, block: int) -> Tenure | Taken | None:
        """Take the lease of a block whose lock is held, or return who has it elsewhere, and renews it.

        That of an engine which does not, since it has died, is waited for.
        """
        begun = partial(take, self.workspace, self.job.id, self.report.worker, block)
        taken, left_s = insist(begun), LEASE_S
        while isinstance(taken, Taken) and taken.left_s < left_s:
            left_s = taken.left_s
            time.sleep(min(left_s, 2 * REPORT_INTERVAL_S))
            taken = insist(begun)
        return taken

    @contextmanager
    def _under(self, tenure: Tenure | None) -> Iterator[None]:
        """Work under a lease, if there is one, and give it back in the end."""
        if tenure is not None:
            self._work_under(tenure)
        try:
            yield
        finally:
            with suppress(StorageFailed):  # it ends by itself
                if tenure is not None:
                    self.workspace.leases.give_back(tenure.lease)
                self._leave_nothing_of_what_is_gone()

    def _leave_nothing_of_what_is_gone(self) -> None:
        """Remove what was written of a job, the lock and the log's last lines, after others had removed it."""
        jobs = self.workspace.jobs
        if jobs.intent(self.job.id) == "delete" and jobs.unknown([self.job.id]):
            self.folder.remove()

    def _work_under(self, tenure: Tenure) -> None:
        self.fence.tenure = tenure
        self.folder.publisher.fence_off(self.fence.check)
        self.folder.journals.fence_off(self.fence.holds)

    def _read_plan(self) -> None:
        manifest = self.folder.read_manifest()
        if manifest is None:
            raise ResultsMissing(
                f"job {self.job.id} has no manifest for its shards, where this process looks for results"
            )
        self.manifest = manifest

    def _begin_visit(self) -> None:
        self.report.visits = True
        insist(self.report.send)

    def _is_still_held(self) -> bool:
        """Whether the visited engine holds the job: as its lock says or, where that cannot be seen, its lease."""
        if self.folder.lock.is_held(self._hold):
            return True
        tenure = self.fence.tenure
        return self.folder.is_copy and tenure is not None and not tenure.given_back

    def _keep_visiting(self, visit: ExitStack) -> None:
        """Heed what is wanted until the engine that holds the job lets go, and then let go, too."""
        with visit:
            while self.stop not in ("cancel", "superseded") and self._is_still_held():
                time.sleep(REPORT_INTERVAL_S)
                self.report.step()
            self.calls.halt("cancel")
            self.calls.cease()
            self.report.step()

    # Its end.

    @property
    def stop(self) -> Stop | None:
        """Why the job is to stop, if it is."""
        return self.calls.stop

    def abandon(self) -> None:
        """Let the other shards stop, since one has failed the job."""
        self.calls.halt("fail")

    def pause(self) -> None:
        """Let the shards stop once their calls in flight have ended, as if the user had paused the job."""
        self.calls.halt("pause")

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Record why the job failed; the edge at which every error becomes the job's."""
        try:
            yield
        except Exception as error:
            if self.stop == "superseded":  # the job goes on elsewhere, and this is not its end
                return
            forget_values(error)
            message = self.keys.masked(
                error.message if isinstance(error, AssayError) else f"{type(error).__name__}: {error}"
            )
            kind = type(error) if isinstance(error, AssayError) else ServiceError
            with suppress(StorageFailed, Stopped):  # it is reported once more when the folder is let go
                self.report.finished(failure=Failure(blame=kind.blame, code=kind.code, message=message))
            if self.keys.masked(str(error)) != str(error):
                raise ServiceError(message) from None  # the error itself would show a key
            raise

    # The plan.

    @property
    def manifest(self) -> Manifest:
        """The frozen plan; there is none before the job is resolved."""
        assert self._manifest is not None
        return self._manifest

    @manifest.setter
    def manifest(self, manifest: Manifest) -> None:
        self.counts.begin(manifest)
        self._manifest = manifest

    def settle_blocks(self, count: int) -> int:
        """Return in how many blocks the job is carried out: up to `count`, unless that was settled before."""
        if self.manifest.blocks is None and count > 1:
            self._manifest = self.manifest.model_copy(update={"blocks": count})
            self.folder.write_manifest(self._manifest)
        return len(self.manifest.cut)

    def keep_notes(self) -> None:
        """Write what was noted beside the plan, where it stays with the results."""
        notes = tuple(dict.fromkeys((*self.manifest.notes, *self.log.notes)))
        if notes != self.manifest.notes:
            self._manifest = self.manifest.model_copy(update={"notes": notes})
            self.folder.write_manifest(self._manifest)

    def task(self, shard: Shard) -> TaskSpec:
        """Return the task a shard belongs to."""
        return next(task for task in self.manifest.spec.tasks if task.name == shard.task)


@dataclass(frozen=True)
class Visit:
    """What an engine is in another process: the way to it, until somebody goes it.

    Not all do: what the scheduler of a cluster passes on it reads, too, and it sees nothing of the job.
    """

    job_id: str
    attempt: int
    worker: str
    hold: str
    lease: Lease | None

    def engine(self) -> Engine:
        """Return this process's engine for the job, opened once for each `hold`."""
        return _visiting(self)


@cache
def _visiting(visit: Visit) -> Engine:
    try:
        workspace = Workspace.open(read_settings())
        job = workspace.jobs.get(visit.job_id)
        engine = Engine(
            workspace, job, attempt=visit.attempt, worker=visit.worker, tell=lambda _: None, hold=visit.hold
        )
        engine.visit(visit.lease)
    except StorageFailed:  # which may pass
        raise
    except AssayError as error:
        raise Misconfigured(
            f"A process on {node()}, to which shards of job {visit.job_id} were sent, cannot work on it, as if it had "
            f"other settings than the service: {error.message}"
        ) from error
    return engine
