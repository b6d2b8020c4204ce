"""The calls of a job in one process: how many at a time, what they come to, and that they end when the job is to stop.

The stages make them from threads of their own; those run on the I/O loop, which all jobs of the process share.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Final, Literal, TypeVar, get_args

from core.counted import Tally
from core.metric import Judge
from core.plan import Share
from core.result import CallKey
from core.settings import Settings
from core.spec import EvaluationSpec, ModelTarget
from tasks.endpoint.breaker import Breaker, Fuse
from tasks.endpoint.limits.ledger import Ledger
from tasks.endpoint.loop import JobLimit, Policy, io_loop

T = TypeVar("T")

Stop = Literal["pause", "fail", "cancel", "superseded"]
"""Why a job is to stop; where there are two reasons, the later one in this list holds."""

STOPS: Final[tuple[Stop, ...]] = get_args(Stop)


class Stopped(Exception):
    """A shard gave up because its job is to pause, is cancelled, has failed elsewhere or is another engine's."""


class Calls:
    """What a job may ask of its models, and whether it is to go on."""

    def __init__(
        self, spec: EvaluationSpec, settings: Settings, share: Share, ledger: Ledger | None = None, name: str = ""
    ) -> None:
        """Begin with none, on the loop of the process; of each bound there is a `share`.

        With a `ledger` the bounds hold over all processes that are at the job `name`.
        """
        self.loop = io_loop(Policy(allow=settings.allow_endpoints, private=settings.on_loopback))
        self.parallelism = share.of(spec.params.parallelism or settings.parallelism)
        self._limit = JobLimit(self.parallelism, ledger, name)
        self._limits = {
            model: JobLimit(share.of(bound), ledger, f"{name} {'/'.join(model)}")
            for model, bound in own_bounds(spec).items()
        }
        self.at_once = max(self.parallelism, *(limit.free for limit in self._limits.values()), 1)
        """Calls that may be made at once to a model."""
        self.tried = Counter[CallKey]()
        """The attempts at calls that failed for now, over all attempts at their shards."""
        self.tally = Tally()
        """What they came to, beside their records: it is reported for all jobs together."""
        self.stop: Stop | None = None
        self._breakers: dict[tuple[str, str, str], Breaker] = {}
        self._fuses: dict[tuple[str, str, str], Fuse] = {}
        self._running: set[asyncio.Task[Any]] = set()
        self._ceased = False

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

    @property
    def ended(self) -> bool:
        """Whether no call may begin any more."""
        return self.stop is not None or self._ceased

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the I/O loop and wait for its end; raises Stopped if the job stops first."""
        return self.loop.run(self._until_stopped(coroutine))

    async def _until_stopped(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if self.ended:
            coroutine.close()
            raise Stopped
        try:
            return await self.begin(coroutine)
        except asyncio.CancelledError:
            raise Stopped from None

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a call, on the I/O loop; it is cancelled where the job is."""
        task = asyncio.create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def halt(self, stop: Stop) -> None:
        """Start no further call; unless it is to pause, end those in flight too."""
        if self.stop is None or STOPS.index(stop) > STOPS.index(self.stop):
            self.stop = stop
            self.loop.call_soon(self._end)

    def cease(self) -> None:
        """Make no call from now on, and wait for those in flight, of which there are none unless a stage broke off."""
        self.loop.run(self._cease())

    async def _cease(self) -> None:
        self._ceased = True
        self._end()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _end(self) -> None:
        for limit in (self._limit, *self._limits.values()):
            limit.close()
        if self.stop != "pause":
            for task in self._running:
                task.cancel()


def own_bounds(spec: EvaluationSpec) -> dict[tuple[str, str], int]:
    """Return the bounds of the models that have one of their own: targets by ("", name), judges by (task, name)."""
    targets = {("", target.name): target.parallelism for target in spec.targets if isinstance(target, ModelTarget)}
    judges = {
        (task.name, metric.name): metric.parallelism
        for task in spec.tasks
        for metric in task.metrics
        if isinstance(metric, Judge)
    }
    return {model: parallelism for model, parallelism in (targets | judges).items() if parallelism}
