"""Which of the processes that call a model may have how many of its calls at a time; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LEASE_S: Final = 10.0
"""A process that is not heard of for so long has no calls."""

TURN_S: Final = 15.0
"""Where calls cannot be divided evenly, those left over go round."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process: how many calls it may have, how many it wants, and until when that holds."""

    held: int
    wanted: int
    until: float


def leased(
    holders: Mapping[str, Holder], capacity: int, who: str, *, in_use: int, wanted: int, now: float
) -> tuple[dict[str, Holder], int]:
    """Return the processes that are left, and how many calls `who` may have at a time from now on.

    It has `in_use` of them; one that has none and wants none is dropped. What others hold they must give back first.
    """
    kept = {name: each for name, each in holders.items() if name != who and now < each.until <= now + 2 * LEASE_S}
    if not (in_use or wanted):
        return kept, 0
    wants = {name: each.wanted for name, each in kept.items()} | {who: wanted}
    share = shares(capacity, wants, turn=int(now // TURN_S))[who]
    free = capacity - sum(each.held for each in kept.values())
    granted = max(0, min(share, free))
    return kept | {who: Holder(max(granted, in_use), wanted, now + LEASE_S)}, granted


def shares(capacity: int, wants: Mapping[str, int], *, turn: int) -> dict[str, int]:
    """Divide `capacity`: as evenly as what is wanted allows, and what nobody wants evenly besides."""
    names = sorted(wants)
    names = names[turn % len(names) :] + names[: turn % len(names)]
    given = dict.fromkeys(names, 0)
    left = _pour(capacity, given, wants)
    _pour(left, given, dict.fromkeys(names, capacity))
    return given


def _pour(left: int, given: dict[str, int], wants: Mapping[str, int]) -> int:
    """Give what is left to those that want more, one as much as the other; return what remains."""
    while left and (hungry := [name for name in given if given[name] < wants[name]]):
        even = max(1, left // len(hungry))
        for name in hungry[:left]:
            part = min(even, wants[name] - given[name])
            given[name] += part
            left -= part
    return left
