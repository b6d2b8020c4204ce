"""Where templates are rendered: those that only read here, all others where they can be killed.

An account (`tasks.templates.account`) bounds what a rendering does. What it does not know, the kernel bounds: the time
of the processor and the memory of a process beside this one.
"""

import atexit
import hashlib
import logging
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from tasks.endpoint.breaker import Fuse
from tasks.sandbox.places import Places
from tasks.sandbox.process import Lost, Process, Program
from tasks.templates.child import NO_MEMORY
from tasks.templates.rendering import Rendered, Unrendered, rendered, stopped
from tasks.templates.template import BodyTemplate

logger = logging.getLogger("assay.templates")

BLOCK_ROWS: Final = 100
BLOCK_BYTES: Final = 1_000_000
LARGEST_REPLY: Final = 64_000_000
REQUESTS: Final = 1_000
"""After which a process, with all that it has kept, makes place for another."""

_ROOT: Final = str(Path(__file__).parents[2])


@dataclass(frozen=True, slots=True)
class Limits:
    """What a rendering may use: seconds of the processor, of the clock, and bytes beside the rows and the program."""

    seconds: float = 5.0
    clock: float = 120.0
    memory: int = 280_000_000


LIMITS: Final = Limits()


class Given(NamedTuple):
    """A row, what there is of its sample, and the fuse that blows if such renderings are stopped again and again."""

    row: Mapping[str, Any]
    sample: Mapping[str, Any] | None
    fuse: Fuse


def render_each(
    template: BodyTemplate, given: Iterable[Given], *, heed: Callable[[], None] = lambda: None
) -> Iterator[Rendered]:
    """Yield what comes of each rendering, in turn; `heed` is called now and then, and may raise to end it all."""
    if template.only_reads or not _can_kill():
        for each in given:
            body = _blown(template, each.fuse) or _render_here(template, each)
            _note(each.fuse, body)
            yield body
    else:
        yield from _pool(LIMITS).render_each(template, given, heed)


def _render_here(template: BodyTemplate, given: Given) -> Rendered:
    try:
        return rendered(template, given.row, given.sample)
    except MemoryError:
        return stopped(template.where, "there is not as much memory as it needs")


def _blown(template: BodyTemplate, fuse: Fuse) -> Unrendered | None:
    """Return what is said of what is not tried any more; None as long as it is."""
    return Unrendered("not_attempted", f"{template.where}: {fuse.error}") if fuse.error else None


def _note(fuse: Fuse, body: Rendered) -> None:
    """Take note of a rendering, and of what stopped it."""
    if not fuse.error:
        fuse.note(body.limit if isinstance(body, Unrendered) else None)


@cache
def _can_kill() -> bool:
    """Tell whether processes can be bounded here, saying so if not."""
    if sys.platform == "linux":
        return True
    logger.warning(
        "Templates are rendered in this process, where nothing can stop one but the account of its work: "
        "on %s there are no limits for a process to render them in",
        sys.platform,
    )
    return False


@cache
def _pool(limits: Limits) -> "Pool":
    pool = Pool(limits)
    atexit.register(pool.close)
    return pool


def program(limits: Limits) -> Program:
    """Return what a process that renders within the limits runs."""
    start = f"import sys; sys.path.insert(0, {_ROOT!r}); from tasks.templates.child import main"
    return Program(("-c", f"{start}; main({limits.seconds!r}, {limits.memory!r})"), LARGEST_REPLY, REQUESTS)


class _Stopped(Exception):
    """A process ended before it answered, and why; `again` if another one may answer."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.again = again


class _Message(NamedTuple):
    """What is given to a rendering as JSON."""

    text: orjson.Fragment
    fuse: Fuse


class Pool:
    """At most `size` processes that render, started when they are wanted and shared by all threads."""

    def __init__(self, limits: Limits = LIMITS, *, size: int = 2) -> None:
        """Start nothing yet."""
        self.limits = limits
        self._places = Places(size, program(limits))

    def render_each(
        self, template: BodyTemplate, given: Iterable[Given], heed: Callable[[], None]
    ) -> Iterator[Rendered]:
        """Yield what comes of each rendering; see `render_each` of this module."""
        for block in _blocks(given):
            yield from self._render_block(template, block, heed)

    def close(self) -> None:
        """End the processes that have nothing to do."""
        self._places.close()

    def _render_block(
        self, template: BodyTemplate, block: Sequence[_Message], heed: Callable[[], None]
    ) -> Iterator[Rendered]:
        """Render together, or one by one once a process has ended over them: then it is known for which."""
        together = True
        while block:
            heed()
            if blown := _blown(template, block[0].fuse):
                yield blown
                block = block[1:]
                continue
            alone = len(block) == 1 or not together
            try:
                bodies = self._ask_twice(template, block[:1]) if alone else self._ask(template, block)
            except _Stopped as reason:
                if not alone:
                    together = False
                    continue
                bodies = [stopped(template.where, str(reason))]
            for each, body in zip(block, bodies, strict=False):
                _note(each.fuse, body)
                yield body
            block = block[len(bodies) :]

    def _ask_twice(self, template: BodyTemplate, block: Sequence[_Message]) -> list[Rendered]:
        """Render again if it may have been the process that was at fault."""
        try:
            return self._ask(template, block)
        except _Stopped as reason:
            if not reason.again:
                raise
            return self._ask(template, block)

    def _ask(self, template: BodyTemplate, block: Sequence[_Message]) -> list[Rendered]:
        """Return what came of the first renderings of a block, of one at least; raises _Stopped."""
        message = orjson.dumps({"template": template.recipe, "given": [each.text for each in block]})
        key = hashlib.sha256(template.recipe.encode()).hexdigest()
        try:
            with self._places.process(key) as process:
                return _bodies(process.ask(message, self.limits.clock), len(block))
        except TimeoutError:
            raise _Stopped(f"it was not done after {self.limits.clock:g} s", again=False) from None
        except (Lost, ValueError) as error:
            raise self._why(process) from error

    def _why(self, process: Process) -> _Stopped:
        if process.exit_code == -signal.SIGPROF:
            return _Stopped(f"it took more than {self.limits.seconds:g} s of the processor", again=False)
        if process.exit_code == NO_MEMORY:
            reason = f"it needs more than {self.limits.memory / 1e6:g} MB of memory"
            return _Stopped(reason, again=process.asked > 1)  # some may be what it kept of others
        return _Stopped(f"its process ended ({process.exit_code})", again=True)


def _blocks(given: Iterable[Given]) -> Iterator[list[_Message]]:
    """Yield what is given in blocks of so many rows, or so many bytes, at most; of one row at least."""
    block: list[_Message] = []
    size = 0
    for each in given:
        text = orjson.dumps((each.row, each.sample))
        block.append(_Message(orjson.Fragment(text), each.fuse))
        size += len(text)
        if len(block) == BLOCK_ROWS or size > BLOCK_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


def _bodies(reply: bytes, most: int) -> list[Rendered]:
    """Read a reply of one body at least, and `most` at most; raises ValueError for any other."""
    read = orjson.loads(reply)
    if not isinstance(read, list) or not 1 <= len(read) <= most:
        raise ValueError("a reply without as many bodies as were asked for")
    return [_body(each) for each in read]


def _body(read: object) -> Rendered:
    match read:
        case dict():
            return read
        case ["missing_field" | "error" as outcome, str(error), str() | None as limit]:
            return Unrendered(outcome, error, limit)
    raise ValueError("a reply with what is neither a body nor a reason")
