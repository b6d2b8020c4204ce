"""What a job has paid for: tokens, and money where the settings have prices."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.cost import cost
from core.result import ModelUsage, Usage
from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Paid:
    """What a job has paid for, a row a model in a role with what that costs."""

    rows: list[tuple[ModelUsage, float | None]]

    @property
    def total(self) -> float | None:
        """What all of it costs; None where that is not known of all, for want of prices or counts."""
        costs = [cost for _, cost in self.rows if cost is not None]
        return sum(costs) if costs and len(costs) == len(self.rows) else None

    @property
    def is_priced(self) -> bool:
        """Whether anything has a price."""
        return any(cost is not None for _, cost in self.rows)

    @property
    def tokens(self) -> int | None:
        """The tokens sent and made; None where no endpoint counted any."""
        counts = [count for usage, _ in self.rows for count in _counts(usage.tokens) if count is not None]
        return sum(counts) if counts else None

    @property
    def has_judges(self) -> bool:
        """Whether some of it was paid for judges."""
        return any(usage.role == "judge" for usage, _ in self.rows)

    def as_target(self, model: str | None) -> "Paid":
        """Return what of it was paid for a model as a target."""
        return Paid([row for row in self.rows if (row[0].role, row[0].model) == ("target", model)])


def paid(usages: Sequence[ModelUsage], settings: Settings) -> Paid:
    """Return what a job has paid for, by the prices of the settings."""
    return Paid([(each, cost(each.tokens, settings.of_model(each.model))) for each in usages])


def _counts(tokens: Usage) -> tuple[int | None, int | None]:
    return tokens.prompt_tokens, tokens.completion_tokens
