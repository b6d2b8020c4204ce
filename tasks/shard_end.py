"""What a stage came to on a shard, told where its Prefect task run is watched."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from core.result import CallOutcome, Outcome
from tasks.calls import ANSWERS


@dataclass(frozen=True)
class ShardEnd:
    """How many samples a shard has, and how its calls and scores ended; nothing of what was done before."""

    samples: int
    calls: Mapping[CallOutcome, int] = field(default_factory=dict)
    scores: Mapping[Outcome, int] = field(default_factory=dict)

    @classmethod
    def together(cls, ends: Iterable["ShardEnd"]) -> "ShardEnd":
        """Return what several shards came to."""
        samples, calls, scores = 0, Counter[CallOutcome](), Counter[Outcome]()
        for end in ends:
            samples += end.samples
            calls.update(end.calls)
            scores.update(end.scores)
        return cls(samples, calls, scores)

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
