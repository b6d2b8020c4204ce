"""One process's hold on one job: what its stages need, what they report, when they must stop."""

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from functools import cache, partial
from typing import Any, Final, Literal, TypeVar, get_args
from uuid import uuid4

from core.counted import Tally
from core.endpoint import Endpoint, Prompt
from core.errors import AssayError, ResultsMissing, ServiceError, SpecInvalid, StorageFailed, Superseded
from core.job import STAGES, Count, Failure, Intent, Job, Progress, Stage, utcnow
from core.metric import Judge
from core.plan import Manifest, Shard, Share
from core.result import Call, CallKey
from core.settings import read_settings
from core.spec import EvaluationSpec, ModelTarget, TaskSpec
from store.db.leases import Lease, Taken
from store.results.folder import JobFolder
from store.results.journals import AnyJournal
from store.results.log import JobLog
from store.secrets import MASK
from store.workspace import Workspace
from tasks.endpoint.access import route_to
from tasks.endpoint.breaker import Breaker, Fuse
from tasks.endpoint.limits.bearing import Told
from tasks.endpoint.loop import JobLimit, JobStopped, Policy, Route, io_loop
from tasks.tenure import Tenure, awake_s, take, visited

T = TypeVar("T")

REPORT_INTERVAL_S = 1.0

STORAGE_DELAYS_S: Final = (1.0, 5.0)
"""Before the second and the last attempt at what could not be kept."""

CLEARED_AFTER_S: Final = 0.1
"""Between two looks whether a lease has been renewed."""

Stop = Literal["pause", "fail", "cancel", "superseded"]
"""Why a job is to stop; where there are two reasons, the later one in this list holds."""

WHOLE: Final = Share()

STOPS: Final[tuple[Stop, ...]] = get_args(Stop)


class Stopped(Exception):
    """A shard gave up because its job is to pause, is cancelled, has failed elsewhere or is another engine's."""


class Engine:
    """Holds a job while its stages run: journals, limits, progress and the user's intent."""

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

        `tell` gets what `say` is told. `hold` names the hold on the job of the engine that this one is to visit.
        """
        if job.spec is None:
            raise SpecInvalid(f"job {job.id} has no specification: it was not to be carried out")
        settings = workspace.settings
        self.workspace = workspace
        self.spec: EvaluationSpec = job.spec
        self.job = job
        self.folder: JobFolder = workspace.folder(job.id)
        self.stop: Stop | None = None
        self.log: JobLog
        self.loop = io_loop(Policy(allow=settings.allow_endpoints, private=settings.on_loopback))
        self.unrecorded: defaultdict[tuple[Stage, Shard], list[Call]] = defaultdict(list)
        self.parallelism = share.of(self.spec.params.parallelism or settings.parallelism)
        self._limit = JobLimit(self.parallelism)
        self._limits = own_limits(self.spec, share)
        self.at_once = max(self.parallelism, *(limit.free for limit in self._limits.values()), 1)
        """Calls that may be made at once to a model."""
        self._breakers: dict[tuple[str, str, str], Breaker] = {}
        self._fuses: dict[tuple[str, str, str], Fuse] = {}
        self._read: dict[str, int] = {}
        self._passed: dict[tuple[Stage, Shard], int] = {}
        self.tried = Counter[CallKey]()
        """The attempts at calls that failed for now, over all attempts at their shards."""
        self.tally = Tally()
        """What its calls came to, beside their records: it is reported for all jobs together."""
        self._notes: dict[tuple[str, ...], str] = {}
        self._attempt = attempt
        self._hold = hold or uuid4().hex
        self._worker = worker
        self.tell = tell
        self._keys: dict[str, str] = {}
        self._routes: dict[str, Route] = {}
        self._told: dict[str, Told] = {}
        self._manifest: Manifest | None = None
        self._journals: set[AnyJournal] = set()
        self._running: set[asyncio.Task[Any]] = set()
        self._ceased = False
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._visits = False
        self._tenure: Tenure | None = None
        self._began_at: datetime | None = None
        self._results_ready_at: datetime | None = None
        self._failure: Failure | None = None

    @contextmanager
    def engaged(self) -> Iterator[None]:
        """Hold the job's folder and its lease, waiting for another engine to let go, and report until the end.

        What the user wants is heard before the first call, and the folder is let go after the last.
        """
        with self.folder.lock.held(self._hold), self._leased(), closing(self.folder.open_log()) as self.log:
            self.folder.tidy()
            self._began_at = utcnow()
            self._insist(self._report)  # what is wanted is heard before anything is done
            reporter = self._start_reporting("report")
            try:
                yield
            finally:
                self._end(reporter)

    @contextmanager
    def joined(self, block: int) -> Iterator[bool]:
        """Work on a block of the job, beside the engine that holds it; gives whether no other engine does.

        Raises ResultsMissing if the job is not resolved in what this process sees of the results.
        """
        with self.folder.lock.joined(block) as is_ours, closing(self.folder.open_log()) as self.log:
            if is_ours:
                self._begin_visit()
                reporter = self._start_reporting("heed")
            try:
                yield is_ours
            finally:
                if is_ours:
                    self._end(reporter)

    @contextmanager
    def _leased(self) -> Iterator[None]:
        """Hold the job's lease, waiting for another engine to let go; the first report hears of a job that is gone."""
        begun = partial(take, self.workspace, self.job.id, self._worker)
        while isinstance(taken := self._insist(begun), Taken):
            self._done.wait(min(taken.left_s, REPORT_INTERVAL_S))
        if taken is None:
            yield
            return
        self._work_under(taken)
        try:
            yield
        finally:
            with suppress(StorageFailed):  # it ends by itself
                self.workspace.leases.give_back(taken.lease)

    def _work_under(self, tenure: Tenure) -> None:
        self._tenure = tenure
        self.folder.publisher.fence_off(self.fence)

    def visit(self, lease: Lease | None) -> None:
        """Work beside the engine that holds the job by a lease, in another process, as long as it does.

        That one reports. Raises ResultsMissing if this process sees other results than that engine.
        """
        if not self.folder.lock.is_held(self._hold):
            raise ResultsMissing(f"the engine of job {self.job.id} is gone, or has its results in another ASSAY_HOME")
        with ExitStack() as visit:
            visit.enter_context(self.folder.lock.shared())
            self.log = visit.enter_context(closing(self.folder.open_log()))
            if lease is not None:
                self._work_under(visited(self.workspace, lease))
            self._begin_visit()
            left = visit.pop_all()
        threading.Thread(target=self._keep_visiting, args=(left,), name=f"visit-{self.job.id}", daemon=True).start()

    def _keep_visiting(self, visit: ExitStack) -> None:
        """Heed what is wanted until the engine that holds the job lets go, and then let go, too."""
        with visit:
            while self.folder.lock.is_held(self._hold) and not self._done.wait(REPORT_INTERVAL_S):
                self._report_once()
            self._halt("cancel")
            self.loop.run(self._cease())
            self._report_once()

    def _begin_visit(self) -> None:
        manifest = self.folder.read_manifest()
        if manifest is None:
            raise ResultsMissing(
                f"job {self.job.id} has no manifest for its shards, where this process looks for results"
            )
        self.manifest = manifest
        self._visits = True
        self._insist(self._report)

    def _start_reporting(self, name: str) -> threading.Thread:
        reporter = threading.Thread(target=self._keep_reporting, name=f"{name}-{self.job.id}", daemon=True)
        reporter.start()
        return reporter

    def _end(self, reporter: threading.Thread) -> None:
        """Let no call be in flight, and report for the last time."""
        self.loop.run(self._cease())
        self._done.set()
        reporter.join()
        self._tell_bounds()
        with suppress(StorageFailed):  # what matters was reported as it came about
            self._report()
            self._add_up()

    def __reduce__(self) -> tuple[Callable[..., "Engine"], tuple[str, int, str, str, Lease | None]]:
        """Have a process that a task runner sends this engine to open one of its own."""
        lease = self._tenure.lease if self._tenure else None
        return visiting, (self.job.id, self._attempt, self._worker, self._hold, lease)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Record why the job failed; the edge at which every error becomes the job's."""
        try:
            yield
        except Exception as error:
            if self.stop == "superseded":  # the job goes on elsewhere, and this is not its end
                return
            message = self._masked(
                error.message if isinstance(error, AssayError) else f"{type(error).__name__}: {error}"
            )
            kind = type(error) if isinstance(error, AssayError) else ServiceError
            with suppress(StorageFailed, Stopped):  # it is reported once more when the folder is let go
                self.finished(failure=Failure(blame=kind.blame, code=kind.code, message=message))
            if self._masked(str(error)) != str(error):
                raise ServiceError(message) from None  # the error itself would show a key
            raise

    def abandon(self) -> None:
        """Let the other shards stop, since one has failed the job."""
        self._halt("fail")

    def pause(self) -> None:
        """Let the shards stop once their calls in flight have ended, as if the user had paused the job."""
        self._halt("pause")

    # The plan.

    @property
    def manifest(self) -> Manifest:
        """The frozen plan; there is none before the job is resolved."""
        assert self._manifest is not None
        return self._manifest

    @manifest.setter
    def manifest(self, manifest: Manifest) -> None:
        self._passed = {
            (stage, shard): len(shard)
            for stage, finished in {stage: self.folder.finished(stage) for stage in STAGES}.items()
            for shard in manifest.shards
            if shard.index in finished
        }
        self._manifest = manifest

    def settle_blocks(self, count: int) -> int:
        """Return in how many blocks the job is carried out: up to `count`, unless that was settled before."""
        if self.manifest.blocks is None and count > 1:
            self._manifest = self.manifest.model_copy(update={"blocks": count})
            self.folder.write_manifest(self._manifest)
        return len(self.manifest.cut)

    def task(self, shard: Shard) -> TaskSpec:
        """Return the task a shard belongs to."""
        return next(task for task in self.manifest.spec.tasks if task.name == shard.task)

    # Calls.

    def route(self, endpoint: Endpoint, prompt: Prompt) -> Route:
        """Return how `endpoint` is asked with `prompt`: its URL, key and bounds."""
        params = self.spec.params
        route = route_to(
            endpoint,
            prompt.route,
            self.workspace.settings,
            self.reveal,
            timeout_s=params.request_timeout_s,
            max_retries=params.max_retries,
            retry_window_s=params.retry_window_s,
            ledger=self.workspace.ledger,
        )
        self._told.setdefault(route.place, Told())
        self._routes[route.place] = route
        self._keys |= {key: key for key in (route.api_key, *route.secrets) if key}
        return route

    def limit(self, key: CallKey) -> JobLimit:
        """Return the limit of a model: its own where the specification bounds it, otherwise the job's."""
        model = (key.task, key.metric) if key.role == "judge" else ("", key.target)
        return self._limits.get(model, self._limit)

    def breaker(self, key: CallKey) -> Breaker:
        """Return the breaker of a task's target, or of one of its judges."""
        of = (key.task, key.target, key.metric)
        return self._breakers.get(of) or self._breakers.setdefault(of, Breaker())

    def fuse(self, task: str, target: str, metric: str) -> Fuse:
        """Return the fuse of a metric's evaluator or templates, for the outputs of one target."""
        return self._fuses.setdefault((task, target, metric), Fuse())

    def heed(self) -> None:
        """Raise Stopped if the job is to stop; called before what may take seconds."""
        if self.stop:
            raise Stopped

    async def cleared(self) -> None:
        """Wait, on the I/O loop, until the lease is renewed: before, another engine may be at the same calls.

        Raises JobStopped if the job stops first.
        """
        while self._tenure is not None and self._tenure.lapsed:
            if self.stop or self._ceased:
                raise JobStopped
            await asyncio.sleep(CLEARED_AFTER_S)

    def fence(self) -> None:
        """Ask for a lapsed lease before something is put in its place; raises Stopped if it is another's by now."""
        if self._tenure is not None:
            with self._giving_way():
                self._tenure.keep()
        if self.stop == "superseded":
            raise Stopped

    @contextmanager
    def _giving_way(self) -> Iterator[None]:
        """Stop if the job turns out to be another engine's."""
        try:
            yield
        except Superseded as error:
            if self.stop != "superseded":
                self._halt("superseded")
                self.say(error.message)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the I/O loop and wait for its end; raises Stopped if the job stops first."""
        return self.loop.run(self._until_stopped(coroutine))

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a call, on the I/O loop; it is cancelled where the job is."""
        task = asyncio.create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _cease(self) -> None:
        """Make no call from now on, and wait for those in flight, of which there are none unless a stage broke off."""
        self._ceased = True
        self._end_calls()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _until_stopped(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if self.stop or self._ceased:
            coroutine.close()
            raise Stopped
        task = asyncio.create_task(coroutine)
        self._running.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            raise Stopped from None
        finally:
            self._running.discard(task)

    @contextmanager
    def journal(self, stage: Stage, shard: Shard) -> Iterator[AnyJournal]:
        """Open a shard's journal, synced once a second while it is open.

        Raises StorageFailed if calls could not be written down in the end: they are kept for the next attempt.
        """
        journal = self.folder.journals.open(stage, shard)
        with self._lock:
            self._journals.add(journal)
        try:
            yield journal
        finally:
            with self._lock:
                self._journals.discard(journal)
                try:
                    journal.close()
                except StorageFailed:
                    self.unrecorded[stage, shard] += journal.unkept()
                    raise

    # Reports.

    def note(self, about: tuple[str, ...], message: str) -> None:
        """Log what users must know of how their job was carried out, once for each thing it is about, and keep it."""
        with self._lock:
            is_new = self._notes.setdefault(about, message) is message
        if is_new:
            self.say(message)

    def keep_notes(self) -> None:
        """Write what was noted beside the plan, where it stays with the results."""
        notes = tuple(dict.fromkeys((*self.manifest.notes, *map(self._masked, self._notes.values()))))
        if notes != self.manifest.notes:
            self._manifest = self.manifest.model_copy(update={"notes": notes})
            self.folder.write_manifest(self._manifest)

    def say(self, message: str) -> None:
        """Log a step of the job, in its folder and where the run is watched."""
        message = self._masked(message)
        self.log.write(message)
        self.tell(message)

    def note_passed(self) -> None:
        """Count what other engines have carried out."""
        for stage in STAGES:
            finished = self.folder.finished(stage)
            for shard in self.manifest.shards:
                if shard.index in finished:
                    self.passed(stage, shard, len(shard))

    def read(self, task: str, rows: int) -> None:
        """Take note of how many rows of a task's dataset were read so far."""
        self._read[task] = rows

    def passed(self, stage: Stage, shard: Shard, samples: int) -> None:
        """Take note that so many samples of a shard have passed a stage."""
        self._passed[stage, shard] = samples

    def finished(self, *, failure: Failure | None = None) -> None:
        """Take note that the results are complete, or why they never will be."""
        if failure:
            self.log.write(self._masked(failure.message), level="ERROR")
        self._results_ready_at = utcnow() if failure is None else None
        self._failure = failure
        self._report()
        if self.stop == "superseded":
            raise Stopped

    def _insist(self, step: Callable[[], T]) -> T:
        """Return what a step comes to without which nothing may be done; it is tried again if it cannot be kept."""
        for delay_s in STORAGE_DELAYS_S:
            with suppress(StorageFailed):
                return step()
            self._done.wait(delay_s)
        return step()

    def _keep_reporting(self) -> None:
        while not self._done.wait(REPORT_INTERVAL_S):
            self._report_once()

    def _report_once(self) -> None:
        for step in (self._sync, self._tell_bounds, self._report, self._add_up):
            try:
                step()
            except Exception as error:
                # What fails is tried again in a second; the calls are in the journals.
                self.log.write(self._masked(f"Could not report: {error}"), level="ERROR")

    def _sync(self) -> None:
        with self._lock:
            for journal in self._journals:
                journal.sync_soon()
        self.log.sync_soon()

    def _tell_bounds(self) -> None:
        """Log of each model what its endpoint bears, if that has changed by much."""
        for place, route in list(self._routes.items()):
            if news := self._told[place].news(self.loop.bearing(route)):
                self.log.write(self._masked(f"{place}: {news}"))

    def _report(self) -> None:
        """Tell how far the job is, unless it is another engine's by now, and heed the user's intent."""
        if self.stop != "superseded":
            with self._giving_way():
                self._obey(self._hear())

    def _hear(self) -> Intent:
        """Write the progress and renew the lease, unless another engine does; returns what the user wants."""
        jobs, asked_at, tenure = self.workspace.jobs, awake_s(), self._tenure
        if self._visits:
            if tenure is not None:
                tenure.keep()
            return jobs.intent(self.job.id)
        intent = jobs.report(self._progress(), tenure.lease if tenure else None)
        if tenure is not None:
            tenure.renewed(asked_at)
        return intent

    def _obey(self, intent: Intent) -> None:
        if intent in ("cancel", "delete"):
            self._halt("cancel")
            if self._visits:
                self._done.set()
        elif intent == "pause":
            self._halt("pause")

    def _add_up(self) -> None:
        """Add what the calls came to since the last time to the figures of all jobs."""
        added = self.tally.take()
        try:
            self.workspace.measures.add(added)
        except AssayError:
            self.tally.give_back(added)
            raise

    def _progress(self) -> Progress:
        return Progress(
            job_id=self.job.id,
            attempt=self._attempt,
            worker=self._worker,
            heartbeat_at=utcnow(),
            counts=self._counts(),
            results_ready_at=self._results_ready_at,
            failure=self._failure,
            began_at=self._began_at,
            bounds=tuple(said for route in list(self._routes.values()) if (said := self.loop.bearing(route).now)),
        )

    def _counts(self) -> dict[str, dict[Stage, Count]]:
        if self._manifest is None:
            return {task: dict.fromkeys(STAGES, Count(0, rows)) for task, rows in list(self._read.items())}
        done = Counter[tuple[str, Stage]]()
        for (stage, shard), samples in list(self._passed.items()):
            done[shard.task, stage] += samples
        return {
            digest.task: {stage: Count(done[digest.task, stage], digest.rows) for stage in STAGES}
            for digest in self._manifest.datasets
        }

    def _halt(self, stop: Stop) -> None:
        """Start no further call; unless it is to pause, end those in flight too."""
        if self.stop is None or STOPS.index(stop) > STOPS.index(self.stop):
            self.stop = stop
            self.loop.call_soon(self._end_calls)

    def _end_calls(self) -> None:
        for limit in (self._limit, *self._limits.values()):
            limit.close()
        if self.stop != "pause":
            for task in self._running:
                task.cancel()

    # Keys.

    def reveal(self, reference: str) -> str:
        """Return the key behind a reference."""
        if reference not in self._keys:
            self._keys[reference] = self.workspace.vault.reveal(reference)
        return self._keys[reference]

    def _masked(self, text: str) -> str:
        """Return `text` without the keys that were revealed so far."""
        for key in list(self._keys.values()):
            text = text.replace(key, MASK)
        return text


@cache
def visiting(job_id: str, attempt: int, worker: str, hold: str, lease: Lease | None) -> Engine:
    """Return this process's engine for a job that an engine in another process holds, opened once for each `hold`."""
    workspace = Workspace.open(read_settings())
    job = workspace.jobs.get(job_id)
    engine = Engine(workspace, job, attempt=attempt, worker=worker, tell=lambda _: None, hold=hold)
    engine.visit(lease)
    return engine


def own_limits(spec: EvaluationSpec, share: Share = WHOLE) -> dict[tuple[str, str], JobLimit]:
    """Return a limit for each model that has a bound of its own: targets by ("", name), judges by (task, name)."""
    return {model: JobLimit(share.of(bound)) for model, bound in own_bounds(spec).items()}


def own_bounds(spec: EvaluationSpec) -> dict[tuple[str, str], int]:
    """Return the bounds of the models that have one of their own."""
    targets = {("", target.name): target.parallelism for target in spec.targets if isinstance(target, ModelTarget)}
    judges = {
        (task.name, metric.name): metric.parallelism
        for task in spec.tasks
        for metric in task.metrics
        if isinstance(metric, Judge)
    }
    return {model: parallelism for model, parallelism in (targets | judges).items() if parallelism}
