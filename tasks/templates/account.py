"""What a rendering may use, and its account: all that handles values draws on one budget of work.

A unit of work is a character. Whatever a value holds is counted each time that it is handled, so the budget bounds time
and memory together: a list that shares its parts many times over costs what it would if written out.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, NoReturn

import jinja2
from jinja2.runtime import Context

MAX_WORK: Final = 50_000_000
"""Units that a rendering may use."""
STEP: Final = 200
"""What a turn of a loop, a call or an operator costs, beside what it handles."""
PART: Final = 20
"""What a part of a list costs, and each of the nodes of a body that is carried out again."""
POINTER: Final = 8
"""What it costs to copy a part of a list."""

MAX_OUTPUT: Final = 10_000_000
"""Characters a rendering may write, and any value on the way may have."""
MAX_RANGE: Final = 100_000
MAX_BITS: Final = 10_000
MAX_DEPTH: Final = 500

_PARTED: Final[tuple[type[Collection[Any]], ...]] = (
    list,
    tuple,
    set,
    type({}.keys()),
    type({}.values()),
    type({}.items()),
)


class Runaway(jinja2.TemplateRuntimeError):
    """A rendering asked for more than it may have."""


@dataclass(slots=True)
class Work:
    """What the templates of a body have used together."""

    spent: int = 0
    written: int = 0


class Account(Context):
    """A rendering's variables, and what it has used so far."""

    only_reads = False
    """Whether all its values are trees, those of the row; see `tasks.templates.plain`."""
    spent = 0
    ranged = 0
    written = 0

    def spend(self, units: int) -> None:
        """Count work before it is done."""
        self.spent += units
        if self.spent > MAX_WORK:
            self._refuse()

    def write(self, characters: int) -> None:
        """Count what an expression writes, be it into the output, a macro or a `set` block."""
        self.spent += PART
        self.written += characters
        if self.spent > MAX_WORK or self.written > MAX_OUTPUT:
            self._refuse()

    def _refuse(self) -> NoReturn:
        refuse_size(self.written)
        costs = f"a character is one, a part of a list {PART}, a step {STEP}"
        raise Runaway(f"it takes more than {MAX_WORK:,} units of work ({costs})")

    def take(self, value: Any) -> Any:
        """Return what an operator made once it is paid for; what its parts hold is paid for when they are handled."""
        self.spend(STEP)
        if isinstance(value, int):
            refuse_bits(value.bit_length())
        elif isinstance(value, str | list | tuple):
            refuse_size(len(value))
            self.spend(len(value) * (1 if isinstance(value, str) else POINTER))
        return value

    def weigh(self, value: Any) -> Any:
        """Return `value` once it is paid for, unless written out it would be too large."""
        if type(value) is str:
            self.spend(len(value))
            refuse_size(len(value))
        elif value is not None:
            self._weigh_parts(value)
        return value

    def _weigh_parts(self, value: Any) -> None:
        """Weigh a value level by level: Python follows some structures without asking how deep they are."""
        characters, depth, level = 0, 0, [value]
        while level:
            inner: list[Any] = []
            for part in level:
                kind = type(part)
                if kind is str:
                    characters += len(part)
                    refuse_size(characters)
                elif kind is int:
                    refuse_bits(part.bit_length())
                elif kind is list:
                    self.spend(PART * (len(part) + 1))
                    inner += part
                elif kind is not float and part is not None:
                    inner += self._parts(part)
            level = inner
            depth += 1
            if depth > MAX_DEPTH:
                raise Runaway(f"it makes a list of more than {MAX_DEPTH} levels")
        self.spend(characters)

    def _parts(self, value: Any) -> Iterable[Any]:
        """Return what a value holds, once it is paid for."""
        if isinstance(value, range):
            self.spend(PART * len(value))
        elif isinstance(value, dict):
            self.spend(PART * (2 * len(value) + 1))
            return chain(value, value.values())
        elif isinstance(value, _PARTED):
            self.spend(PART * (len(value) + 1))
            return value
        return ()

    def counted(self, items: Iterable[Any], cost: int = STEP) -> Iterator[Any]:
        """Yield the items, each for the cost of a turn."""
        for item in items:
            self.spend(cost)
            yield item


def refuse_size(size: float) -> None:
    """Raise Runaway if `size` characters or elements are too many."""
    if size > MAX_OUTPUT:
        raise Runaway(f"it makes a text or list of more than {MAX_OUTPUT:,} characters")


def refuse_bits(bits: float) -> None:
    """Raise Runaway if a whole number of so many bits is too large."""
    if bits > MAX_BITS:
        raise Runaway("it makes a number that is too large")
