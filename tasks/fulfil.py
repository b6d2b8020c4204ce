"""Pay for the calls of a shard, each once: what its journal holds is not asked again."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

from core.errors import StorageFailed
from core.job import Stage
from core.plan import Shard
from core.result import Call, CallKey, CallOutcome
from store.results.journal import Place
from tasks.calls import ANSWERS, Ask, ShardIncomplete
from tasks.endpoint.loop import JobStopped, Reply
from tasks.endpoint.waits import TOO_MANY_REQUESTS
from tasks.engine.calls import Stopped
from tasks.engine.engine import Engine
from tasks.paid import Paid, Published

ASKED_AGAIN: Final[frozenset[CallOutcome]] = frozenset({"transient", "not_attempted"})
"""The outcomes of calls that are not written down as paid: a later attempt at their shard makes them again."""

MOST_HELD: Final = 1_000
MOST_HELD_BYTES: Final = 8_000_000
"""So many requests of a shard are ready at a time, or as many as twice those that may be made at once."""


@contextmanager
def fulfil(
    engine: Engine, stage: Stage, shard: Shard, wanted: Callable[[Shard], Iterable[Ask | Call]], *, final: bool
) -> Iterator[Paid | Published]:
    """Give a finished call for each that is `wanted` of a part of a shard, paying only for those not in its journal.

    Unless `final`, raises ShardIncomplete after the rest is journalled if calls ended in transient
    errors. Raises Stopped if the job is to pause or to be cancelled, and StorageFailed if calls could not be
    written down: they are kept for the next attempt.
    """
    if engine.folder.has_calls(stage, shard):
        yield Published(engine.folder, stage, shard)
        return
    with ExitStack() as stack:
        paid = Paid(
            lambda: stack.enter_context(engine.journals.opened(stage, shard)),
            lambda: stack.enter_context(engine.folder.journals.open_aside(stage, shard)),
        )
        if kept := engine.journals.unrecorded[stage, shard]:
            paid.journal.append(*kept)
            kept.clear()
        recorded = _recorded(engine, stage, shard, paid) if engine.folder.journals.exists(stage, shard) else {}
        with _asking(engine, stage, shard, paid) as attempt:
            for part in engine.folder.parts(shard):
                attempt.begin(part, _missing(engine, paid, recorded, wanted(part)))
        if not final:
            attempt.refuse_transient()
        paid.sync()  # what makes results of the calls may remove their journal
        yield paid


def _missing(
    engine: Engine, paid: Paid, recorded: "Mapping[CallKey, _Recorded]", wanted: Iterable[Ask | Call]
) -> list[Ask]:
    """Return what is still to be asked of what is wanted; the rest is paid."""
    missing = []
    for item in wanted:
        paid.want(item.key)
        if isinstance(item, Call):
            paid.add_unasked(item)
        elif known := recorded.get(item.key):
            paid.add_recorded(item.key, known.outcome, known.place)
            if known.shows_that_it_works:
                engine.calls.breaker(item.key).success()
        else:
            missing.append(item)
    return missing


class _Recorded(NamedTuple):
    """A call that stands in the journal, and whether it tells that its model answers now."""

    place: Place
    outcome: CallOutcome
    shows_that_it_works: bool


def _recorded(engine: Engine, stage: Stage, shard: Shard, paid: Paid) -> dict[CallKey, _Recorded]:
    """Return the calls that the shard's journal holds already."""
    found, damaged = {}, 0
    for place, call in paid.journal.recorded():
        if call is None:
            damaged += 1
        else:  # that it worked for another job is long ago
            works = call.outcome in ANSWERS and call.paid_by is None
            found[call.key] = _Recorded(place, call.outcome, works)
    if damaged:
        engine.log.say(f"{stage} of shard {shard.index}: {damaged} records of calls are damaged; those are made again")
    return found


@contextmanager
def _asking(engine: Engine, stage: Stage, shard: Shard, paid: Paid) -> Iterator["_Round"]:
    """Give what makes the calls of a shard, and see all of them to their ends; raises Stopped if some were not made."""
    attempt = _Round(engine, stage, shard, paid)
    try:
        yield attempt
    except Stopped:
        attempt.end()
        raise
    except BaseException:
        attempt.end(at_once=True)
        raise
    attempt.end()
    attempt.check()


class _Round:
    """One round of asking for the missing calls of a shard: made on the I/O loop, while its thread prepares more."""

    def __init__(self, engine: Engine, stage: Stage, shard: Shard, paid: Paid) -> None:
        self._engine, self._calls, self._stage, self._shard, self._paid = engine, engine.calls, stage, shard, paid
        self._tasks: set[asyncio.Task[None]] = set()
        self._held = 0
        self._room = asyncio.Event()
        self._finished: list[Call] = []
        """What is to be written down at the end of this turn of the loop."""
        self._unwritten: StorageFailed | None = None
        self._error: BaseException | None = None
        self._has_begun = self._stopped = False
        self._transient: list[Call] = []
        self._left = Counter[int]()
        self._unasked = self._counted = 0
        self._notes: dict[tuple[str, str, str], str] = {}

    # In the thread of the shard.

    def begin(self, part: Shard, asks: Sequence[Ask]) -> None:
        """Have calls made, and return once there is room for more. Raises Stopped."""
        self._left.update(ask.key.sample for ask in asks)
        self._unasked += len(part) - len({ask.key.sample for ask in asks})
        self._engine.counts.passed(self._stage, self._shard, self._unasked + self._counted)
        if asks:
            self._paid.open()
            self._has_begun = True
            self._calls.run(self._begin(asks))

    def end(self, *, at_once: bool = False) -> None:
        """Wait until the calls that were begun have ended; say what was changed in requests."""
        if self._has_begun:
            self._calls.loop.run(self._end(at_once=at_once))
        for (origin, model, field), note in self._notes.items():
            self._engine.log.note((origin, model, field), f"{model} at {origin}: {note}")

    def check(self) -> None:
        """Raise what stopped a call: a real error, a disk that is full, or Stopped."""
        if error := self._error or self._unwritten:
            raise error
        if self._stopped:
            raise Stopped

    def refuse_transient(self) -> None:
        """Raise ShardIncomplete if a later attempt at the shard may get more answers.

        Not those of calls that were tried for as long as a call may be.
        """
        window_s = self._engine.spec.params.retry_window_s
        some = [call for call in self._transient if call.seconds < window_s and not self._calls.breaker(call.key).open]
        if some:
            raise ShardIncomplete(f"{len(some)} of {len(self._paid)} calls failed for now, e.g. {some[0].error}")

    # On the loop.

    async def _begin(self, asks: Sequence[Ask]) -> None:
        """Begin the calls, as many at a time as can be held."""
        for ask in asks:
            while self._is_full():
                self._room.clear()
                await self._room.wait()
            if self._error or self._unwritten:
                return
            self._held += len(ask.request)
            task = self._calls.begin(self._ask(ask))
            self._tasks.add(task)
            task.add_done_callback(partial(self._ended, len(ask.request)))

    def _is_full(self) -> bool:
        """Tell whether as many requests are in memory as there is room for; all that may be made at a time are."""
        count = len(self._tasks)
        return count >= 2 * self._calls.at_once and (count >= MOST_HELD or self._held >= MOST_HELD_BYTES)

    def _ended(self, size: int, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._held -= size
        self._room.set()
        if task.cancelled():
            self._stopped = True
        elif error := task.exception():
            self._error = self._error or error
            self._cancel()

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _end(self, *, at_once: bool) -> None:
        if at_once:
            self._cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._write_down()

    async def _ask(self, ask: Ask) -> None:
        """Make one call, and have it written down, unless the job stops before it is begun."""
        breaker = self._calls.breaker(ask.key)
        try:
            reply = await self._calls.loop.ask(
                ask.route,
                ask.request,
                may_drop=ask.may_drop,
                retries=self._retries_left(ask),
                limit=self._calls.limit(ask.key),
                role=ask.key.role,
                wanted=lambda: not (breaker.open or self._unwritten),
                cleared=self._engine.fence.cleared,
            )
        except JobStopped:
            self._stopped = True
            return
        call = _record(ask.key, reply)
        if call.outcome in ASKED_AGAIN:
            self._calls.tried[ask.key] += call.attempts
        if reply.notes:
            self._notes |= {(ask.route.origin, ask.route.model, field): note for field, note in reply.notes}
        if breaker.open and not call.attempts:
            call = Call(ask.key, "not_attempted", call.request, error=breaker.error)
        elif call.outcome in ANSWERS:
            breaker.success()
        elif call.attempts and not (call.outcome == "transient" and call.status == TOO_MANY_REQUESTS):
            # one that is asked too often is there, and says to come back later
            breaker.failure(call.error or call.outcome, exhausted=reply.exhausted)
        self._calls.tally.add(ask.route.model, call)
        if not self._finished:
            asyncio.get_running_loop().call_soon(self._write_down)
        self._finished.append(call)

    def _write_down(self) -> None:
        """Write down the calls that have ended in this turn of the loop, in one write; they count only then."""
        calls, self._finished = self._finished, []
        again = [call for call in calls if call.outcome in ASKED_AGAIN]
        paid = [call for call in calls if call.outcome not in ASKED_AGAIN]
        try:
            self._record(paid)
            if not self._unwritten:
                self._paid.set_aside(*again)
        except StorageFailed as error:
            self._unwritten = self._unwritten or error
            return
        self._transient += (replace(call, request="", response=None) for call in again if call.outcome == "transient")
        for call in calls:
            self._count(call.key.sample)

    def _record(self, calls: Sequence[Call]) -> None:
        try:
            if calls:
                self._paid.record(*calls)
        except StorageFailed:
            self._engine.journals.unrecorded[self._stage, self._shard] += calls
            raise

    def _retries_left(self, ask: Ask) -> int:
        """Return how often a call may still be repeated, so that attempts at its shard do not multiply the retries.

        Each of them makes one try at least.
        """
        return max(0, ask.route.max_retries - max(0, self._calls.tried[ask.key] - 1))

    def _count(self, sample: int) -> None:
        """Count a sample as passed once the last of its calls is made."""
        self._left[sample] -= 1
        if not self._left[sample]:
            self._counted += 1
            self._engine.counts.passed(self._stage, self._shard, self._unasked + self._counted)


def _record(key: CallKey, reply: Reply) -> Call:
    return Call(
        key=key,
        outcome=reply.outcome,
        request=reply.request.decode(),
        response=reply.body,
        status=reply.status,
        error=reply.error,
        usage=reply.usage,
        started_at=reply.started_at,
        seconds=reply.seconds,
        attempts=reply.attempts,
    )
