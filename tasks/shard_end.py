"""What a stage came to on a shard, told where its Prefect task run is watched."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.result import CallOutcome, Outcome
from tasks.calls import ANSWERS


@dataclass(frozen=True)
class ShardEnd:
    """How many samples a shard has, and how its calls and scores ended; nothing of what was done before."""

    samples: int
    calls: Mapping[CallOutcome, int] = field(default_factory=dict)
    scores: Mapping[Outcome, int] = field(default_factory=dict)

    @property
    def is_unanswered(self) -> bool:
        """Whether there were calls, and none of them had an answer."""
        return bool(self.calls) and ANSWERS.isdisjoint(self.calls)

    def __str__(self) -> str:
        """Return it in words: "25 samples · calls: 24 answered, 1 error"."""
        parts = [f"{self.samples} sample{'' if self.samples == 1 else 's'}"]
        for what, counts in (("calls", self.calls), ("scores", self.scores)):
            if counts:
                parts.append(f"{what}: {', '.join(f'{count} {outcome}' for outcome, count in sorted(counts.items()))}")
        return " · ".join(parts)
