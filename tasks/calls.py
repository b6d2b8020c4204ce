"""Pay for the calls of a shard, each once: what its journal holds is not asked again."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from core.errors import StorageFailed
from core.job import Stage
from core.plan import Shard
from core.result import Call, CallKey, CallOutcome
from store.results.journal import Journal
from store.results.segments import SegmentedJournal
from tasks.endpoint.adjust import SCHEMA
from tasks.endpoint.loop import JobStopped, Reply, Route
from tasks.endpoint.waits import TOO_MANY_REQUESTS
from tasks.engine import Engine, Stopped
from tasks.templates.rendering import Rendered, Unrendered

ANSWERS: Final[frozenset[CallOutcome]] = frozenset({"answered", "refused"})
"""The outcomes that show that an endpoint works."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A call to be made: `request` is its JSON body, of which `may_drop` are fields that nobody asked for."""

    key: CallKey
    route: Route
    request: bytes
    may_drop: frozenset[str] = frozenset()


class ShardIncomplete(Exception):
    """Some calls of a shard met an error that a later attempt may not meet."""


def prepare(
    key: CallKey,
    route: Route,
    body: Rendered,
    *,
    defaults: Mapping[str, Any],
    reply_schema: Mapping[str, Any] | None = None,
) -> Ask | Call:
    """Return a request with the body over the `defaults` of its fields, or as a call why there is none.

    The reply is asked to keep to `reply_schema`.
    """
    if isinstance(body, Unrendered):
        return Call(key, body.outcome, request="{}", error=body.error)
    fields = {"model": route.model, **defaults, **body}
    may_drop: frozenset[str] = frozenset()
    if reply_schema is not None and SCHEMA not in fields:
        schema = {"name": "verdict", "strict": True, "schema": reply_schema}
        fields |= {SCHEMA: {"type": "json_schema", "json_schema": schema}}
        may_drop = frozenset({SCHEMA})
    try:
        return Ask(key, route, orjson.dumps(fields), may_drop)
    except TypeError as error:  # such as half of a surrogate pair, or a number of more than 64 bits
        return Call(key, "error", request="{}", error=f"the request cannot be written as JSON: {error}")


def fulfil(
    engine: Engine, stage: Stage, shard: Shard, wanted: Iterable[Ask | Call], *, final: bool
) -> dict[CallKey, Call]:
    """Return a finished call for each that is wanted, paying only for those not in the shard's journal.

    Unless `final`, raises ShardIncomplete after the rest is journalled if calls ended in transient
    errors. Raises Stopped if the job is to pause or to be cancelled, and StorageFailed if calls could not be
    written down: they are kept for the next attempt.
    """
    asks: dict[CallKey, Ask] = {}
    calls: dict[CallKey, Call] = {}
    _record_kept(engine, stage, shard)
    for item in wanted:
        if isinstance(item, Ask):
            asks[item.key] = item
        else:
            calls[item.key] = item
    paid = _recorded(engine, stage, shard, asks)
    missing = [ask for key, ask in asks.items() if key not in paid]
    calls |= paid
    if missing:
        with engine.journal(stage, shard) as journal:
            attempt = _Round(engine, stage, shard, missing, journal)
            try:
                calls |= {call.key: call for call in engine.run(attempt.ask_all())}
            finally:
                attempt.tell_notes()
        if any(ask.key not in calls for ask in missing):
            raise Stopped
    if not final:
        _refuse_transient(engine, calls)
    return calls


def _record_kept(engine: Engine, stage: Stage, shard: Shard) -> None:
    """Write down the calls that an earlier attempt at the shard paid for and could not write down."""
    if kept := engine.unrecorded[stage, shard]:
        with engine.journal(stage, shard) as journal:
            while kept:
                journal.append(kept[0])
                del kept[0]


def _recorded(engine: Engine, stage: Stage, shard: Shard, asks: Mapping[CallKey, Ask]) -> dict[CallKey, Call]:
    """Return those of the calls that the shard's journal holds already."""
    calls, damaged = engine.folder.read_journal(engine.folder.journal(stage, shard))
    if damaged:
        engine.say(f"{stage} of shard {shard.index}: {damaged} records of calls are damaged; those are made again")
    paid = {call.key: call for call in calls if call.key in asks}
    for call in paid.values():
        if call.outcome in ANSWERS and call.paid_by is None:  # that it worked for another job is long ago
            engine.breaker(call.key).success()
    return paid


def _refuse_transient(engine: Engine, calls: dict[CallKey, Call]) -> None:
    """Raise ShardIncomplete if a later attempt at the shard may get more answers.

    Not those of calls that were tried for as long as a call may be.
    """
    window_s = engine.spec.params.retry_window_s
    transient = [call for call in calls.values() if _may_pass(call, window_s) and not engine.breaker(call.key).open]
    if transient:
        raise ShardIncomplete(f"{len(transient)} of {len(calls)} calls failed for now, e.g. {transient[0].error}")


def _may_pass(call: Call, window_s: float) -> bool:
    return call.outcome == "transient" and call.seconds < window_s and call.paid_by is None


class _Round:
    """One round of asking for the missing calls of a shard, carried out on the I/O loop."""

    def __init__(
        self, engine: Engine, stage: Stage, shard: Shard, missing: Sequence[Ask], journal: Journal | SegmentedJournal
    ) -> None:
        self._engine, self._stage, self._shard = engine, stage, shard
        self._missing, self._journal = missing, journal
        self._unwritten: StorageFailed | None = None
        self._left = Counter(ask.key.sample for ask in missing)
        self._passed = len(shard) - len(self._left)
        self._notes: dict[tuple[str, str, str], str] = {}
        engine.passed(stage, shard, self._passed)

    async def ask_all(self) -> list[Call]:
        """Make all calls that the job still wants; the first real error ends the others.

        Where calls cannot be written down no other is begun, and those in flight end before StorageFailed is raised.
        """
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._ask(ask)) for ask in self._missing]
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None
        if self._unwritten:
            raise self._unwritten
        return [call for task in tasks if (call := task.result())]

    async def _ask(self, ask: Ask) -> Call | None:
        """Make and journal one call; None if the job stopped before it began."""
        breaker = self._engine.breaker(ask.key)
        try:
            reply = await self._engine.loop.ask(
                ask.route,
                ask.request,
                may_drop=ask.may_drop,
                retries=self._retries_left(ask),
                limit=self._engine.limit(ask.key),
                role=ask.key.role,
                wanted=lambda: not (breaker.open or self._unwritten),
            )
        except JobStopped:
            return None
        call = _record(ask.key, reply)
        self._engine.tried[ask.key] += call.attempts
        self._notes |= {(ask.route.origin, ask.route.model, field): note for field, note in reply.notes}
        if breaker.open and not call.attempts:
            call = Call(ask.key, "not_attempted", call.request, error=breaker.error)
        elif call.outcome in ANSWERS:
            breaker.success()
        elif call.attempts and not (call.outcome == "transient" and call.status == TOO_MANY_REQUESTS):
            # one that is asked too often is there, and says to come back later
            breaker.failure(call.error or call.outcome, exhausted=reply.exhausted)
        self._engine.tally.add(ask.route.model, call)
        if call.outcome not in ("transient", "not_attempted"):
            self._write_down(call)
        self._count(ask.key.sample)
        return call

    def _write_down(self, call: Call) -> None:
        try:
            self._journal.append(call)
        except StorageFailed as error:
            self._engine.unrecorded[self._stage, self._shard].append(call)
            self._unwritten = error

    def _retries_left(self, ask: Ask) -> int:
        """Return how often a call may still be repeated, so that attempts at its shard do not multiply the retries.

        Each of them makes one try at least.
        """
        return max(0, ask.route.max_retries - max(0, self._engine.tried[ask.key] - 1))

    def tell_notes(self) -> None:
        """Say what was changed in requests, once for each field of a model."""
        for (origin, model, field), note in self._notes.items():
            self._engine.note((origin, model, field), f"{model} at {origin}: {note}")

    def _count(self, sample: int) -> None:
        """Count a sample as passed once the last of its calls is made."""
        self._left[sample] -= 1
        if not self._left[sample]:
            self._passed += 1
            self._engine.passed(self._stage, self._shard, self._passed)


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
