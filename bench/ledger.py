"""What an endpoint was asked, beside what was recorded of it: which calls were paid twice, and which needlessly."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core.job import STAGES
from core.result import Call
from store.results.folder import JobFolder


class Asked(NamedTuple):
    """A call that came to the endpoint: when, and the sha256 of its body."""

    time: float
    sha256: str


@dataclass(frozen=True)
class Death:
    """A moment at which a process was dead: what had been asked by then, and what of it was recorded."""

    time: float
    asked: frozenset[str]
    recorded: frozenset[str]

    @property
    def in_flight(self) -> frozenset[str]:
        """What was asked and not recorded."""
        return self.asked - self.recorded


class Repaid(NamedTuple):
    """How many calls were paid again after a death, and what of that should not have been."""

    calls: int
    wrong: list[str]


def recorded_calls(folders: Iterable[JobFolder]) -> frozenset[str]:
    """Return the sha256 of every call that journals and results hold."""
    return frozenset(hashlib.sha256(call.request.encode()).hexdigest() for folder in folders for call in _calls(folder))


def repaid(deaths: Sequence[Death], asked: Sequence[Asked]) -> list[Repaid]:
    """Return for each death what was asked between it and the next that had been asked before."""
    ends = [*(death.time for death in deaths[1:]), float("inf")]
    return [
        _repaid(death, [call for call in asked if death.time < call.time <= end])
        for death, end in zip(deaths, ends, strict=True)
    ]


def _repaid(death: Death, asked: Sequence[Asked]) -> Repaid:
    seen, count, wrong = set(death.asked), 0, []
    again: set[str] = set()
    for call in asked:
        if call.sha256 in seen:
            count += 1
            if call.sha256 in death.recorded:
                wrong.append(f"call {call.sha256[:8]} was paid again after it was recorded")
            elif call.sha256 in again or call.sha256 not in death.in_flight:
                wrong.append(f"call {call.sha256[:8]} was paid again with no death between")
            again.add(call.sha256)
        seen.add(call.sha256)
    return Repaid(count, wrong)


def _calls(folder: JobFolder) -> Iterable[Call]:
    # Journals first: a shard that is finished meanwhile is then found among the results.
    calls = [call for path in folder.journals.paths() for call in folder.journals.read(path).calls]
    manifest = folder.read_manifest()
    for shard in manifest.shards if manifest else ():
        for stage in STAGES:
            calls += folder.read_calls(stage, shard)
    return calls
